import json


def test_changes_of_the_command_line_are_told_latest_first(run):
    run("tenant", "add", "acme")
    secret = run("token", "create", "--tenant", "acme", "--read-only")[1].strip()
    token_id = run("token", "list")[1].splitlines()[1].split()[0]
    run("token", "revoke", token_id)
    run("tenant", "set", "acme", "--standard-webhooks")
    code, text, _ = run("audit")
    assert code == 0
    assert secret not in text
    assert [line.split("command line")[1].split() for line in text.splitlines()[1:]] == [
        ["tenant.set", "standard", "webhooks", "on"],
        ["token.revoke", token_id],
        ["token.create", token_id, "(read)"],
        ["tenant.create", "acme"],
    ]
    assert len(run("audit", "--count", "1")[1].splitlines()) == 2


def test_changes_outlive_their_tenant(run):
    run("tenant", "add", "acme")
    run("tenant", "add", "other")
    (created,) = json.loads(run("audit", "--tenant", "acme", "--json")[1])
    run("tenant", "remove", "acme", "--yes")
    assert [one["action"] for one in json.loads(run("audit", "--json")[1])] == [
        "tenant.remove",
        "tenant.create",
        "tenant.create",
    ]
    assert "tenant.remove" in run("audit", "--tenant", created["tenant"])[1]
