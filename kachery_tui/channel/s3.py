"""S3 behind three questions: sign a URL, sign an upload, list a page.

Signing is done on this machine, without a request; with keys of the channel file also without the SDK.
"""

import asyncio
import contextlib
from datetime import UTC, datetime
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from kachery_tui.channel.errors import from_botocore
from kachery_tui.channel.proxies import keep_loopback_direct
from kachery_tui.channel.sigv4 import Keys, Place, sign_url
from kachery_tui.channel.values import ObjectInfo, Page
from kachery_tui.errors import NotAllowed

if TYPE_CHECKING:
    from kachery_tui.config import BucketConfig

URL_LIFETIME: Final = 3600
"""Seconds a signed URL is good for: an upload that waits in a queue must still find it so when its turn comes."""
DEFAULT_REGION: Final = "us-east-1"
LARGEST_PAGE: Final = 1000
"""What S3 gives at most."""


_METHODS: Final = {"get_object": "GET", "head_object": "HEAD", "put_object": "PUT"}


class S3:
    """A signer, and a lazily made client of the S3 SDK, for one bucket. Used by one event loop."""

    def __init__(self, config: "BucketConfig") -> None:
        self.config = config
        self._keys: Keys | None = None
        self._place: Place | None = None
        if config.access_key and config.secret_key:
            self._keys = Keys(config.access_key, config.secret_key)
            self._place = Place.of(
                config.name, config.region or DEFAULT_REGION, config.endpoint, path_style=config.path_style
            )
        self._client: Any = None
        self._making: asyncio.Lock | None = None
        self._stack = contextlib.AsyncExitStack()

    async def prepare(self) -> None:
        """Where signing needs the SDK: import it and make the client, so that the first request need not wait for it."""
        if self._keys is None or self._place is None:
            await self._ready()

    async def sign_read(self, method: str, name: str) -> str:
        """A URL by which anyone may `method` ("get_object", "head_object") one object for a while."""
        return await self._sign(method, name)

    async def sign_upload(self, name: str, size: int) -> str:
        """A URL by which anyone may PUT exactly `size` bytes to one name for a while."""
        return await self._sign("put_object", name, size)

    async def list(self, prefix: str, token: str | None, limit: int) -> Page:
        """Names under `prefix`, at most `limit` and never more than S3's page of 1000."""
        what = f"cannot list {prefix} in bucket {self.config.name}"
        limit = max(1, min(limit, LARGEST_PAGE))
        parameters = {"Bucket": self.config.name, "Prefix": prefix, "MaxKeys": limit}
        if token is not None:
            parameters["ContinuationToken"] = token
        client = await self._ready()
        try:
            answer = await client.list_objects_v2(**parameters)
        except Exception as error:
            raise from_botocore(what, error) from error
        found = [_object(entry) for entry in answer.get("Contents", [])[:limit]]
        objects = tuple(entry for entry in found if entry is not None and entry.name.startswith(prefix))
        further = answer.get("NextContinuationToken") if answer.get("IsTruncated") else None
        return Page(objects, further if isinstance(further, str) else None)

    async def close(self) -> None:
        """Close the client's connections."""
        self._client = None
        await self._stack.aclose()

    async def _sign(self, method: str, name: str, size: int | None = None) -> str:
        if self._keys is not None and self._place is not None:
            return sign_url(
                _METHODS[method],
                self._place,
                name,
                self._keys,
                seconds=URL_LIFETIME,
                now=datetime.now(UTC),
                headers=None if size is None else {"content-length": str(size)},
            )
        what = f"cannot sign a request for {name} in bucket {self.config.name}"
        parameters = {"Key": name} if size is None else {"Key": name, "ContentLength": size}
        client = await self._ready()
        try:
            url: str = await client.generate_presigned_url(
                method, Params={"Bucket": self.config.name, **parameters}, ExpiresIn=URL_LIFETIME
            )
        except Exception as error:
            raise from_botocore(what, error) from error
        if "Signature=" not in url:
            raise NotAllowed(
                what, "there are no credentials", "give `access_key` and `secret_key` in [bucket]"
            )
        return url

    async def _ready(self) -> Any:
        if self._client is None:
            self._making = self._making or asyncio.Lock()
            async with self._making:
                if self._client is None:
                    self._client = await self._make()
        return self._client

    async def _make(self) -> Any:
        config = self.config
        what = f"cannot use bucket {config.name}"
        keep_loopback_direct()
        try:
            session = await asyncio.to_thread(_session, config.profile)
            sdk_config = import_module("aiobotocore.config").AioConfig(
                # Only this version binds the length of an upload into its signature.
                signature_version="s3v4",
                s3={"addressing_style": "path" if config.path_style else "virtual"},
                connect_timeout=10,
                read_timeout=30,
                retries={"max_attempts": 1},
                # The newer default asks for checksum trailers, which many S3-compatible servers refuse.
                request_checksum_calculation="when_required",
                response_checksum_validation="when_required",
            )
            client = session.create_client(
                "s3",
                endpoint_url=config.endpoint,
                region_name=config.region or DEFAULT_REGION,
                aws_access_key_id=config.access_key,
                aws_secret_access_key=config.secret_key,
                config=sdk_config,
            )
            return await self._stack.enter_async_context(client)
        except Exception as error:
            raise from_botocore(what, error) from error


def _session(profile: str | None) -> Any:
    """A session with everything read that a client for S3 needs: a second of work, none of it for the event loop."""
    session = import_module("aiobotocore.session").AioSession(profile=profile)
    loader = session.get_component("data_loader")
    loader.load_service_model("s3", "service-2")
    loader.load_service_model("s3", "endpoint-rule-set-1")
    for name in ("endpoints", "partitions", "_retry", "sdk-default-configuration"):
        loader.load_data(name)
    return session


def _object(entry: Any) -> ObjectInfo | None:
    name, size, modified = entry.get("Key"), entry.get("Size"), entry.get("LastModified")
    if not isinstance(name, str) or not isinstance(size, int):
        return None
    etag = str(entry.get("ETag", "")).strip('"')
    return ObjectInfo(name, size, modified.timestamp() if modified is not None else None, etag)
