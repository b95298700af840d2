"""Patches laid over one another, and the way to an answer to every question."""

from hypothesis import given
from hypothesis import strategies as st
from msgspec import UNSET

from outrider.domain.options import CallbackPatch, DeliveryOptions, OptionPatch, Redaction

DEFAULTS = DeliveryOptions(retries=3, timeout_ms=30_000)

patches = st.builds(
    OptionPatch,
    method=st.sampled_from(["GET", "PUT", UNSET]),
    retries=st.one_of(st.just(UNSET), st.integers(0, 9)),
    delay_ms=st.one_of(st.just(UNSET), st.integers(0, 9)),
    headers=st.one_of(
        st.just(UNSET), st.lists(st.tuples(st.sampled_from(["A", "a", "B"]), st.text(max_size=2))).map(tuple)
    ),
)


def test_nothing_said_is_the_defaults():
    assert OptionPatch().resolve(DEFAULTS) == DEFAULTS


def test_upper_patch_wins_where_it_speaks():
    above, beneath = OptionPatch(retries=1), OptionPatch(retries=5, delay_ms=7)
    assert above.over(beneath) == OptionPatch(retries=1, delay_ms=7)


def test_headers_merge_by_name_and_keep_repeats():
    above = OptionPatch(headers=(("X-A", "1"), ("X-A", "2")))
    beneath = OptionPatch(headers=(("x-a", "0"), ("X-B", "3")))
    assert above.over(beneath).headers == (("X-A", "1"), ("X-A", "2"), ("X-B", "3"))


@given(patches)
def test_empty_patch_is_neutral(patch):
    assert patch.over(OptionPatch()) == patch
    assert OptionPatch().over(patch) == patch


@given(patches, patches)
def test_layers_resolve_alike_one_by_one_and_merged(above, beneath):
    assert above.over(beneath).resolve(DEFAULTS) == above.resolve(beneath.resolve(DEFAULTS))


def test_callback_takes_the_retries_of_its_message_unless_it_has_its_own():
    options = OptionPatch(
        retries=8,
        callback=CallbackPatch(url="https://a.example/"),
        failure_callback=CallbackPatch(url="https://a.example/", options=OptionPatch(retries=1, method="PUT")),
    ).resolve(DEFAULTS)
    assert (options.callback.options.retries, options.failure_callback.options.retries) == (8, 1)
    assert options.failure_callback.options.method == "PUT"


def test_callback_options_without_a_url_are_no_callback():
    assert OptionPatch(callback=CallbackPatch(options=OptionPatch(retries=1))).resolve(DEFAULTS).callback is None


def test_callback_options_change_a_stored_callback():
    stored = OptionPatch(callback=CallbackPatch(url="https://a.example/", options=OptionPatch(method="PUT")))
    changed = OptionPatch(callback=CallbackPatch(options=OptionPatch(retries=9))).resolve(stored.resolve(DEFAULTS))
    assert (changed.callback.url, changed.callback.options.method, changed.callback.options.retries) == (
        "https://a.example/",
        "PUT",
        9,
    )


def test_callback_layers_merge_url_and_options():
    above = OptionPatch(callback=CallbackPatch(options=OptionPatch(retries=9)))
    beneath = OptionPatch(callback=CallbackPatch(url="https://a.example/", options=OptionPatch(method="PUT")))
    merged = above.over(beneath).callback
    assert merged == CallbackPatch(url="https://a.example/", options=OptionPatch(method="PUT", retries=9))


def test_first_delivery_is_never_before_the_publish():
    assert DeliveryOptions(delay_ms=5).first_delivery_at(100) == 105
    assert DeliveryOptions(not_before=50, delay_ms=5).first_delivery_at(100) == 100
    assert DeliveryOptions(not_before=500).first_delivery_at(100) == 500


def test_redaction_knows_headers_in_any_case():
    assert Redaction(headers=("authorization",)).hides_header("Authorization")
    assert not Redaction(headers=("authorization",)).hides_header("X-A")
    assert Redaction(all_headers=True).hides_header("X-A")
    assert not Redaction().hides_anything
