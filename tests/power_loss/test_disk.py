"""The disk keeps what was synced, and is as cruel as it may be with the rest."""

from random import Random

from tests.power_loss.disk import SECTOR, Disk, File

SEEDS = range(300)


def contents(disk, name="file"):
    return {disk.power_cut(seed).get(name) for seed in SEEDS}


def synced(content=b""):
    return Disk({"file": content})


def test_synced_write_survives():
    disk = synced()
    disk.files["file"].write(0, b"a" * 3000)
    disk.files["file"].sync()
    assert contents(disk) == {b"a" * 3000}


def test_unsynced_write_is_there_or_not_or_in_part():
    disk = synced(b"a" * 2 * SECTOR)
    disk.files["file"].write(0, b"b" * 2 * SECTOR)
    found = contents(disk)
    assert {b"a" * 2 * SECTOR, b"b" * 2 * SECTOR} <= found
    assert b"b" * SECTOR + b"a" * SECTOR in found
    assert b"a" * SECTOR + b"b" * SECTOR in found
    assert any(content[:SECTOR].strip(b"b").startswith(b"a") for content in found), "no sector was torn"


def test_later_write_may_survive_an_earlier_one():
    disk = synced(b"a" * 2 * SECTOR)
    disk.files["file"].write(0, b"b" * SECTOR)
    disk.files["file"].write(SECTOR, b"c" * SECTOR)
    assert b"a" * SECTOR + b"c" * SECTOR in contents(disk)


def test_bytes_beside_an_unsynced_write_are_never_touched():
    disk = synced(b"a" * 5000)
    disk.files["file"].write(1000, b"b" * 100)
    for content in contents(disk):
        assert len(content) == 5000
        assert content[:1000] + content[1100:] == b"a" * 4900


def test_file_that_grew_has_any_length_between_and_never_less_than_was_synced():
    disk = synced(b"a" * 100)
    disk.files["file"].write(100, b"b" * 5000)
    lengths = {len(content) for content in contents(disk)}
    assert {100, 5100} < lengths
    assert min(lengths) == 100
    assert max(lengths) == 5100
    assert all(content.startswith(b"a" * 100) for content in contents(disk))


def test_what_grew_and_was_not_written_is_zeros_or_garbage():
    disk = synced()
    disk.files["file"].write(0, b"b" * 20 * SECTOR)
    sectors = {content[at : at + SECTOR] for content in contents(disk) for at in range(0, len(content), SECTOR)}
    assert bytes(SECTOR) in sectors
    assert any(sector.strip(b"b\0") for sector in sectors)


def test_unsynced_truncate_happened_or_not():
    disk = synced(b"a" * 100)
    disk.files["file"].truncate(10)
    assert contents(disk) == {b"a" * 100, b"a" * 10}


def test_file_made_without_a_sync_of_the_folder_is_there_or_not():
    disk = Disk()
    disk.create("file")
    disk.files["file"].write(0, b"a")
    disk.files["file"].sync()
    assert contents(disk) == {None, b"a"}
    disk.sync_folder()
    assert contents(disk) == {b"a"}


def test_file_removed_without_a_sync_of_the_folder_may_be_back():
    disk = synced(b"a")
    disk.delete("file")
    assert contents(disk) == {None, b"a"}
    disk.sync_folder()
    assert contents(disk) == {None}


def test_file_made_anew_is_never_mixed_with_the_one_that_was_removed():
    disk = synced(b"aa")
    disk.delete("file")
    disk.create("file")
    disk.files["file"].write(0, b"b")
    disk.files["file"].sync()
    assert contents(disk) == {None, b"aa", b"b"}


def test_sync_that_failed_is_not_made_good_by_the_next():
    found = set()
    for seed in SEEDS:
        file = File(bytearray(b"a"))
        file.write(0, b"b")
        file.fail_to_sync(Random(seed))
        file.sync()
        found.add(bytes(file.durable))
    assert found == {b"a", b"b"}


def test_same_seed_finds_the_same():
    disk = synced()
    disk.files["file"].write(0, b"b" * 5000)
    assert disk.power_cut(7) == disk.power_cut(7)
