"""Which addresses a provider may have, as an operator writes them and as names resolve."""

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.outbound.addresses import AddressRefused, check_addresses, check_url, is_public


@pytest.mark.parametrize(
    "url",
    [
        "https://api.openai.com/v1",
        "https://API.openai.com:8443",
        "https://res-1.openai.azure.com/openai/deployments/",
        "https://8.8.8.8/v1",
        "https://[2606:4700::1111]:8443/v1",
        "https://xn--bcher-kva.example/v1",
        "https://api.openai.com./v1",
        "https://my_tei.example/v1",
        "https://1password.com/v1",
    ],
)
def test_a_public_address_over_tls_is_taken(url: str) -> None:
    check_url(url)

    check_url(url, allow_loopback=True)


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("http://api.openai.com/v1", "https://"),
        ("ftp://api.openai.com/v1", "https://"),
        ("file:///etc/passwd", "https://"),
        ("api.openai.com/v1", "https://"),
        ("https:///v1", "no host"),
        ("https://-a.example", "no host"),
        ("https://a%2eb.example/v1", "no host"),
        ("https://user:password@api.openai.com", "password"),
        ("https://api.openai.com@10.0.0.1/", "password"),
        ("https://api.openai.com/v1?key=1", "query"),
        ("https://api.openai.com/v1#a", "query"),
        ("https://api.openai.com:99999/", "not a URL"),
        ("https://[::1/", "not a URL"),
        ("https://api.openai.com\\@10.0.0.1/", "password"),
        ("https://user:pass word@api.openai.com", "password"),
        ("https://api.openai.com\\.evil.example/", "backslash"),
        ("https://api.openai.com/v1\r\nhost: x", "control character"),
        ("https://api. openai.com/", "space"),
        ("https://\uff11\uff12\uff17.0.0.1/", "xn--"),
        ("https://ⓔxample.com/", "xn--"),
        ("https://localhost/v1", "this machine"),
        ("https://LOCALHOST./v1", "this machine"),
        ("https://a.localhost/v1", "this machine"),
        ("https://127.0.0.1/v1", "not a public address"),
        ("https://127.8.8.8/v1", "not a public address"),
        ("https://0.0.0.0/", "not a public address"),
        ("https://10.1.2.3/", "not a public address"),
        ("https://172.31.255.255/", "not a public address"),
        ("https://192.168.1.1/", "not a public address"),
        ("https://169.254.169.254/latest/meta-data", "not a public address"),
        ("https://169.254.170.2/v2/credentials", "not a public address"),
        ("https://100.100.100.200/", "not a public address"),
        ("https://168.63.129.16/", "not a public address"),
        ("https://224.0.0.1/", "not a public address"),
        ("https://255.255.255.255/", "not a public address"),
        ("https://[::1]/", "not a public address"),
        ("https://[::]/", "not a public address"),
        ("https://[fe80::1]/", "not a public address"),
        ("https://[fd00:ec2::254]/", "not a public address"),
        ("https://[::ffff:8.8.8.8]/", "not a public address"),
        ("https://[::ffff:169.254.169.254]/", "not a public address"),
        ("https://[64:ff9b::a9fe:a9fe]/", "not a public address"),
        ("https://[2002:a9fe:a9fe::1]/", "not a public address"),
        ("https://[2001:0:53aa:64c::1]/", "not a public address"),
        ("https://[ff02::1]/", "not a public address"),
        ("https://2130706433/", "four decimal numbers"),
        ("https://0x7f000001/", "four decimal numbers"),
        ("https://0x7f.0.0.1/", "four decimal numbers"),
        ("https://0177.0.0.1/", "four decimal numbers"),
        ("https://127.1/", "four decimal numbers"),
        ("https://127.0.0.1./", "four decimal numbers"),
        ("https://a.0x7f/", "four decimal numbers"),
    ],
)
def test_any_other_address_is_refused_with_a_sentence(url: str, told: str) -> None:
    with pytest.raises(AddressRefused, match=told):
        check_url(url)


def test_a_refusal_does_not_repeat_a_password() -> None:
    with pytest.raises(AddressRefused) as caught:
        check_url("https://user:hunter2 \\é@api.openai.com:x/?#")

    assert "hunter2" not in str(caught.value)


def test_a_refusal_is_a_plain_value_error() -> None:
    assert issubclass(AddressRefused, ValueError)


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:8080/v1", "http://localhost:8080", "http://[::1]/v1", "https://127.0.0.1/v1"]
)
def test_the_local_stack_may_name_its_own_machine(url: str) -> None:
    check_url(url, allow_loopback=True)


@pytest.mark.parametrize("url", ["http://8.8.8.8/", "http://api.openai.com", "http://10.0.0.1", "https://10.0.0.1"])
def test_the_local_stack_may_name_no_more_than_that(url: str) -> None:
    with pytest.raises(AddressRefused):
        check_url(url, allow_loopback=True)


@given(st.ip_addresses(v=4))
def test_no_ipv4_address_is_public_that_the_standard_library_knows_as_not(address: ipaddress.IPv4Address) -> None:
    assert not is_public(address) or (address.is_global and not address.is_multicast and not address.is_reserved)


@given(st.ip_addresses(v=6))
def test_no_ipv6_address_is_public_that_the_standard_library_knows_as_not(address: ipaddress.IPv6Address) -> None:
    assert not is_public(address) or (address.is_global and not address.is_multicast and not address.is_reserved)


@given(st.ip_addresses(v=4))
def test_an_ipv4_address_in_ipv6_clothes_is_never_public(address: ipaddress.IPv4Address) -> None:
    clothes = ("::ffff:{}", "::{}", "64:ff9b::{}", "::ffff:0:{}")

    assert not any(is_public(ipaddress.IPv6Address(text.format(address))) for text in clothes)


def test_a_name_may_lead_to_public_addresses() -> None:
    check_addresses("vendor.example", ["8.8.8.8", "2606:4700::1111"])


@pytest.mark.parametrize("inside", ["10.0.0.1", "127.0.0.1", "169.254.169.254", "::1", "fd00::1", "fe80::1%eth0"])
@pytest.mark.parametrize("allow_loopback", [True, False])
def test_a_name_that_leads_inside_even_once_is_refused(inside: str, *, allow_loopback: bool) -> None:
    with pytest.raises(AddressRefused, match=r"vendor\.example"):
        check_addresses("vendor.example", ["8.8.8.8", inside], allow_loopback=allow_loopback)


@pytest.mark.parametrize("host", ["localhost", "A.Localhost.", "127.0.0.1"])
def test_this_machine_may_be_led_to_where_that_is_permitted(host: str) -> None:
    check_addresses(host, ["127.0.0.1", "::1"], allow_loopback=True)

    with pytest.raises(AddressRefused):
        check_addresses(host, ["127.0.0.1", "::1"])


@pytest.mark.parametrize("elsewhere", ["8.8.8.8", "10.0.0.1", "169.254.169.254"])
def test_a_name_of_this_machine_that_leads_elsewhere_is_refused(elsewhere: str) -> None:
    with pytest.raises(AddressRefused, match="not this machine"):
        check_addresses("localhost", ["127.0.0.1", elsewhere], allow_loopback=True)
