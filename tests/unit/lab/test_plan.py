from __future__ import annotations

import ipaddress
import socket
from pathlib import Path

import pytest

from akeso_lab.errors import LabError
from akeso_lab.parts import Tier
from akeso_lab.plan import Addresses, Plan, link_name, make_plan


@pytest.fixture(autouse=True)
def state_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    root = tmp_path / "s"
    monkeypatch.setenv("AKESO_LAB_STATE", str(root))
    return root


def test_a_labs_networks_do_not_overlap() -> None:
    addresses = Addresses(120, real_node=True)
    link = ipaddress.ip_interface(addresses.link_prefix).network
    networks = [ipaddress.ip_network(n) for n in (addresses.pods, addresses.services)]
    networks += [link, ipaddress.ip_interface(addresses.fake_pods).network]

    for one in networks:
        assert not any(one.overlaps(other) for other in networks if other != one)


def test_the_node_and_the_api_server_are_neighbours() -> None:
    addresses = Addresses(120, real_node=True)

    assert (
        ipaddress.ip_address(addresses.node)
        in ipaddress.ip_interface(addresses.link_prefix).network
    )


def test_without_a_node_everything_listens_on_loopback() -> None:
    assert Addresses(120, real_node=False).host == "127.0.0.1"


def test_two_labs_share_neither_ports_nor_networks() -> None:
    first = make_plan("one", Tier.CONTROL_PLANE, 5)
    second = make_plan("two", Tier.CONTROL_PLANE, 5)

    assert first.second_octet != second.second_octet
    assert not set(first.ports.values()) & set(second.ports.values())


def test_a_port_in_use_is_not_chosen(state_root: Path) -> None:
    before = make_plan("one", Tier.CONTROL_PLANE, 5)
    (state_root / "one" / "plan.json").unlink()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", before.ports["apiserver"]))
        taken.listen()
        after = make_plan("one", Tier.CONTROL_PLANE, 5)

    assert before.ports["apiserver"] not in after.ports.values()


def test_a_plan_is_read_back_as_it_was_written() -> None:
    plan = make_plan("one", Tier.NODE, 1)

    assert Plan.load(plan.state) == plan


def test_a_half_written_plan_counts_as_none(state_root: Path) -> None:
    (state_root / "one").mkdir(parents=True)
    (state_root / "one" / "plan.json").write_text('{"name": "o')

    assert Plan.load(state_root / "one") is None


def test_a_path_too_long_for_a_socket_is_refused_before_anything_starts(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("AKESO_LAB_STATE", str(tmp_path / ("x" * 90)))

    with pytest.raises(LabError, match="too long"):
        make_plan("one", Tier.NODE, 5)


def test_an_interface_name_fits_and_differs_between_state_roots(tmp_path: Path) -> None:
    one, two = link_name(tmp_path / "a" / "lab"), link_name(tmp_path / "b" / "lab")

    assert len(one) <= 15
    assert one != two


@pytest.mark.parametrize("name", ["", "A", "a b", "../x", "-a", "x" * 31])
def test_a_name_that_is_no_folder_name_is_refused(name: str) -> None:
    with pytest.raises(LabError, match="not a usable lab name"):
        make_plan(name, Tier.CONTROL_PLANE, 5)
