"""Proxies that the environment names: which one leads where, what goes over it, and what is said when it does not."""

from dataclasses import replace

import pytest

from kachery_tui.channel.bucket import Bucket
from kachery_tui.channel.errors import BucketShut
from kachery_tui.channel.proxies import proxy_for
from kachery_tui.channel.values import ConnectionState
from kachery_tui.config import ChannelConfig
from kachery_tui.errors import KacheryError, NotAllowed, TryAgain, UsageError
from kachery_tui.hub import Hub

from .parties import FILES, party
from .proxy_servers import ProxyServer
from .servers import Misbehaving, bucket_config, free_port
from .test_channel_bad_bucket import saying

PUBLIC = "http://bucket.example"
VARIABLES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.mark.parametrize(
    ("rules", "direct", "by_proxy"),
    [
        ("10.0.0.0/8", ["10.1.2.3"], ["11.1.2.3", "host.example"]),
        ("10.*, 192.168.7.1", ["10.1.2.3", "192.168.7.1"], ["192.168.7.2"]),
        ("fd00::/8", ["fd12::1"], ["fe80::1"]),
        ("[fd12::1]:9000", ["fd12::1"], ["fd12::2"]),
        ("example.org", ["example.org", "a.example.org", "A.Example.ORG"], ["badexample.org"]),
        (".example.org", ["example.org", "a.example.org"], ["example.com"]),
        ("*.example.org", ["a.example.org", "a.b.example.org"], ["example.com"]),
        ("host.example:9000", ["host.example"], ["other.example"]),
        ("host.example:9001", [], ["host.example"]),
        ("one.example two.example", ["one.example", "two.example"], ["three.example"]),
        ("*", ["anything.example", "1.2.3.4"], []),
        ("", ["localhost", "127.0.0.1", "::1"], ["127.0.0.2"]),
        ("10.0.0.0/99, [, /, :", [], ["10.0.0.1", "host.example"]),
    ],
)
def test_no_proxy(
    monkeypatch: pytest.MonkeyPatch, rules: str, direct: list[str], by_proxy: list[str]
) -> None:
    monkeypatch.setenv("http_proxy", "proxy.example:8080")
    monkeypatch.setenv("NO_PROXY", rules)
    assert [host for host in direct if proxy_for("http", host, 9000) is not None] == []
    assert [host for host in by_proxy if proxy_for("http", host, 9000) is None] == []


def test_which_variable_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    assert proxy_for("https", "host.example", 443) is None
    monkeypatch.setenv("ALL_PROXY", "socks5h://ana:se%40cret@jump.example")
    monkeypatch.setenv("HTTP_PROXY", "http://[fd00::1]:3128/")
    found = proxy_for("https", "host.example", 443)
    assert found is not None
    assert str(found) == "the SOCKS proxy jump.example:1080 (ALL_PROXY)"
    assert (found.user, found.password) == ("ana", "se@cret")
    assert found.url == "socks5h://ana:se%40cret@jump.example:1080"
    assert "se@cret" not in repr(found)
    other = proxy_for("http", "host.example", 80)
    assert other is not None
    assert (other.host, other.port, other.variable) == ("fd00::1", 3128, "HTTP_PROXY")
    monkeypatch.setenv("http_proxy", "")
    assert proxy_for("http", "host.example", 80) is None


@pytest.mark.parametrize(
    "value", ["ftp://proxy.example", "http://", "http://a:port", "https://p.example", "http://["]
)
def test_a_proxy_that_cannot_be_used_is_refused_by_name(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("http_proxy", value)
    with pytest.raises(UsageError, match="http_proxy"):
        proxy_for("http", "host.example", 80)


@pytest.mark.parametrize("scheme", ["socks5h", "socks5"])
async def test_a_bucket_by_a_socks_proxy(monkeypatch: pytest.MonkeyPatch, scheme: str) -> None:
    host = "bucket.example" if scheme == "socks5h" else "127.0.0.2"
    async with (
        ProxyServer().running() as proxy,
        Misbehaving(saying("HTTP/1.1 200 OK\nContent-Length: 2", b"ok")).running() as server,
    ):
        monkeypatch.setenv("all_proxy", f"{scheme}://127.0.0.1:{proxy.port}")
        bucket = Bucket(bucket_config(1, public_url=f"http://{host}:{server.port}/b"))
        assert await bucket.fetch_bytes("lab/object", 100) == b"ok"
        assert await bucket.fetch_bytes("lab/object", 100) == b"ok"
        assert server.requests[0].target == "/b/lab/object"
        assert proxy.asked == [host]
        await bucket.close()


async def refused(url: str = PUBLIC) -> KacheryError:
    """What is said of a bucket that cannot be read."""
    bucket = Bucket(bucket_config(1, public_url=url))
    with pytest.raises(KacheryError) as caught:
        await bucket.fetch_bytes("lab/object", 100)
    await bucket.close()
    return caught.value


@pytest.mark.parametrize("scheme", ["http", "socks5", "socks4"])
@pytest.mark.parametrize("url", [PUBLIC, "https://bucket.example"])
async def test_a_proxy_that_is_down_is_named(monkeypatch: pytest.MonkeyPatch, scheme: str, url: str) -> None:
    port = free_port()
    monkeypatch.setenv(
        "all_proxy", f"{scheme}h://127.0.0.1:{port}" if scheme == "socks5" else f"{scheme}://127.0.0.1:{port}"
    )
    error = await refused(url)
    assert isinstance(error, TryAgain)
    assert f"proxy 127.0.0.1:{port} (all_proxy)" in error.why
    assert "no_proxy" in error.do


@pytest.mark.parametrize(
    ("status", "kind", "said"),
    [
        ("407 Proxy Authentication Required", BucketShut, "wants a user and a password"),
        ("403 Forbidden", NotAllowed, "403"),
        ("503 Service Unavailable", TryAgain, "503"),
    ],
)
@pytest.mark.parametrize("tunnel", [True, False])
async def test_what_a_proxy_answers_is_not_put_down_to_the_bucket(
    monkeypatch: pytest.MonkeyPatch, status: str, kind: type[KacheryError], said: str, tunnel: bool
) -> None:
    refusing = ProxyServer(refuses=status)
    answering = Misbehaving(saying(f"HTTP/1.1 {status}\nContent-Length: 0"))
    async with refusing.running(), answering.running():
        port = refusing.port if tunnel else answering.port
        monkeypatch.setenv("ALL_PROXY", f"http://127.0.0.1:{port}")
        error = await refused("https://bucket.example" if tunnel else PUBLIC)
        assert isinstance(error, kind)
        assert f"the proxy 127.0.0.1:{port} (ALL_PROXY)" in error.why
        assert said in error.why
        assert "keys" not in error.do


async def test_what_s3_says_by_way_of_a_proxy_is_the_buckets(monkeypatch: pytest.MonkeyPatch) -> None:
    answer = saying("HTTP/1.1 403 Forbidden\nx-amz-request-id: 1\nContent-Length: 0")
    async with Misbehaving(answer).running() as server:
        monkeypatch.setenv("http_proxy", f"127.0.0.1:{server.port}")
        error = await refused()
        assert "the bucket answered 403" in error.why
        assert "policy" in error.do


@pytest.mark.parametrize("scheme", ["socks5h", "http"])
async def test_pub_sub_goes_by_the_proxy(
    config: ChannelConfig, hub: Hub, monkeypatch: pytest.MonkeyPatch, scheme: str
) -> None:
    endpoint = f"hub.example:{hub.pubsub_port}"
    config = replace(config, pubsub=replace(config.pubsub, endpoint=endpoint))
    async with ProxyServer().running() as proxy:
        monkeypatch.setenv("all_proxy", f"{scheme}://127.0.0.1:{proxy.port}")
        async with party(config, 1, FILES) as one:
            assert one.pubsub.connection.state is ConnectionState.CONNECTED
        assert proxy.asked[0] == "hub.example"


@pytest.mark.parametrize("scheme", ["socks5", "http"])
async def test_pub_sub_names_the_proxy_that_is_down(
    config: ChannelConfig, monkeypatch: pytest.MonkeyPatch, scheme: str
) -> None:
    port = free_port()
    monkeypatch.setenv("all_proxy", f"{scheme}://127.0.0.1:{port}")
    config = replace(config, pubsub=replace(config.pubsub, endpoint="127.0.0.2:4"))
    async with party(config, 1, FILES, wait=False) as one:
        await one.until(lambda: f"proxy 127.0.0.1:{port} (all_proxy)" in one.pubsub.connection.reason)
