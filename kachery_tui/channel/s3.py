"""The signer of one bucket: URLs by which an object is read, uploaded, or a page of names listed.

Signing is done on this machine, without a request to the bucket; with keys of the channel file also without the SDK,
which otherwise knows where AWS's credentials come from.
"""

import asyncio
import contextlib
import os
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from kachery_tui.channel.errors import from_botocore
from kachery_tui.channel.sigv4 import Keys, Place, sign_url
from kachery_tui.errors import NotAllowed

if TYPE_CHECKING:
    from kachery_tui.config import BucketConfig

URL_LIFETIME: Final = 3600
"""Seconds a signed URL is good for: an upload that waits in a queue must still find it so when its turn comes."""
DEFAULT_REGION: Final = "us-east-1"

_METHODS: Final = {"get_object": "GET", "head_object": "HEAD", "put_object": "PUT", "list_objects_v2": "GET"}
_OF_THE_SDK: Final = {
    "list-type": None,
    "encoding-type": "EncodingType",
    "prefix": "Prefix",
    "max-keys": "MaxKeys",
    "continuation-token": "ContinuationToken",
}
"""What the SDK calls the parameters of a listing; the first goes without saying."""


class S3:
    """A signer for one bucket, with a client of the S3 SDK made when it is needed. Used by one event loop."""

    def __init__(self, config: "BucketConfig") -> None:
        self.config = config
        self._keys: Keys | None = None
        self._place: Place | None = None
        if config.access_key and config.secret_key:
            self._keys = Keys(config.access_key, config.secret_key)
            self._place = Place.of(
                config.name, _region(config) or DEFAULT_REGION, config.endpoint, path_style=config.path_style
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

    async def sign_list(self, prefix: str, token: str | None, limit: int) -> str:
        """A URL by which anyone may list names under `prefix` for a while, at most `limit`, from `token` on."""
        from kachery_tui.channel.listing import LARGEST_PAGE, listing_query

        query = listing_query(prefix, token, max(1, min(limit, LARGEST_PAGE)))
        return await self._sign("list_objects_v2", "", query=query)

    async def close(self) -> None:
        """Close the client's connections."""
        self._client = None
        await self._stack.aclose()

    async def _sign(
        self, method: str, name: str, size: int | None = None, query: Mapping[str, str] | None = None
    ) -> str:
        if self._keys is not None and self._place is not None:
            return sign_url(
                _METHODS[method],
                self._place,
                name,
                self._keys,
                seconds=URL_LIFETIME,
                now=datetime.now(UTC),
                headers=None if size is None else {"content-length": str(size)},
                query=query,
            )
        what = f"cannot sign a request for {name or 'a list'} in bucket {self.config.name}"
        parameters: dict[str, object] = {"Key": name} if name else {}
        if size is not None:
            parameters["ContentLength"] = size
        for key, value in (query or {}).items():
            if word := _OF_THE_SDK[key]:
                parameters[word] = int(value) if key == "max-keys" else value
        client = await self._ready()
        try:
            url: str = await client.generate_presigned_url(
                method, Params={"Bucket": self.config.name, **parameters}, ExpiresIn=URL_LIFETIME
            )
        except Exception as error:
            raise from_botocore(what, error, self.config.profile) from error
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
                region_name=_region(config) or session.get_config_variable("region") or DEFAULT_REGION,
                aws_access_key_id=config.access_key,
                aws_secret_access_key=config.secret_key,
                config=sdk_config,
            )
            return await self._stack.enter_async_context(client)
        except Exception as error:
            raise from_botocore(what, error, config.profile) from error


def _region(config: "BucketConfig") -> str | None:
    """The region that the channel file names, or the environment, which does not speak of a server of one's own."""
    if config.region or (config.endpoint and not config.profile):
        return config.region
    return os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")


def _session(profile: str | None) -> Any:
    """A session with everything read that a client for S3 needs: a second of work, none of it for the event loop."""
    session = import_module("aiobotocore.session").AioSession(profile=profile)
    loader = session.get_component("data_loader")
    loader.load_service_model("s3", "service-2")
    loader.load_service_model("s3", "endpoint-rule-set-1")
    for name in ("endpoints", "partitions", "_retry", "sdk-default-configuration"):
        loader.load_data(name)
    return session
