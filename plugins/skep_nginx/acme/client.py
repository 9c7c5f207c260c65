"""One authority, spoken to through the library `acme`: our account there, and one order from its names to its certificate."""

from __future__ import annotations

import asyncio
import datetime
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

import msgspec

from skep import PluginError, TemporaryError, read_small_file
from skep_nginx.acme.failures import OrderFailed, translate
from skep_nginx.acme.settings import AcmeSettings
from skep_nginx.acme.storage import Account, Storage
from skep_nginx.acme.threads import in_thread

if TYPE_CHECKING:
    from acme.client import ClientV2
    from acme.messages import AuthorizationResource, OrderResource
    from josepy.jwk import JWK

__all__ = ["AcmeClient"]

_CALL = 20  # seconds that one request may take
_ORDER = 180.0  # seconds that all of an order may take
_SYSTEM_CA = "/etc/ssl/certs/ca-certificates.crt"
T = TypeVar("T")


class AcmeClient:
    """Raises PluginError at its making where the libraries are not installed."""

    def __init__(self, settings: AcmeSettings, storage: Storage) -> None:
        self._settings = settings
        self._storage = storage
        self._account: Account | None = None
        self._registering = asyncio.Lock()
        self.thumbprint = ""
        """Of the account's key: with it nginx answers challenges by itself, whatever their token is (RFC 8555, 8.3)."""

    async def prepare(self) -> None:
        """Read the account's key, or make one. Raises TemporaryError, PluginError."""
        await _checked(self._load_libraries)
        await asyncio.to_thread(self._storage.prepare)
        account = await asyncio.to_thread(self._storage.account)
        if account is None:
            account = Account(key=(await in_thread(lambda: new_key("ec-256"), "acme key")).decode())
            await self._storage.keep_account(account)
        self._account = account
        self.thumbprint = await in_thread(lambda: _thumbprint(_jwk(account)), "acme key")

    @staticmethod
    def _load_libraries() -> None:
        try:
            import acme.client  # noqa: F401
        except ImportError as error:
            raise PluginError(f"certificates by ACME need the library {error.name}: pip install 'skep[acme]'") from None

    async def order(self, names: tuple[str, ...], email: str) -> tuple[str, str]:
        """A new certificate: its chain and its key, both PEM. Raises OrderFailed."""
        try:
            async with asyncio.timeout(_ORDER):
                # A session of its own for each order: the library's is for one thread.
                client = await _checked(self._open)
                try:
                    await self._enter(client, email)
                    return await self._carry_out(client, names)
                finally:
                    client.net.session.close()
        except TimeoutError:
            raise OrderFailed("away", f"{self._settings.url} did not finish within {_ORDER:.0f} s") from None

    async def _carry_out(self, client: ClientV2, names: tuple[str, ...]) -> tuple[str, str]:
        from acme.crypto_util import make_csr

        key = await in_thread(lambda: new_key(self._settings.key), "acme key")
        csr = await in_thread(lambda: make_csr(key, list(names)), "acme csr")
        order = await _checked(lambda: client.new_order(csr))
        for authorization in order.authorizations:
            await _checked(lambda each=authorization: self._answer(client, each))  # type: ignore[misc]
        await self._await_validation(client, order)
        done = await _checked(lambda: client.finalize_order(order, _deadline()))
        return done.fullchain_pem, key.decode()

    def _answer(self, client: ClientV2, authorization: AuthorizationResource) -> None:
        """Say that the challenge is in its place: nginx answers all of them."""
        from acme.challenges import HTTP01
        from acme.messages import STATUS_VALID

        if authorization.body.status == STATUS_VALID:
            return
        for challenge in authorization.body.challenges:
            if isinstance(challenge.chall, HTTP01):
                client.answer_challenge(challenge, challenge.response(client.net.key))
                return
        name = authorization.body.identifier.value
        raise OrderFailed(
            "refused", f"the authority does not offer HTTP-01, the only proof that skep gives, for {name}"
        )

    async def _await_validation(self, client: ClientV2, order: OrderResource) -> None:
        from acme.errors import ValidationError
        from acme.messages import STATUS_PENDING, STATUS_VALID

        for authorization in order.authorizations:
            pause = 0.25
            now = authorization
            while True:
                now, _ = await _checked(lambda each=now: client.poll(each))  # type: ignore[misc]
                if now.body.status != STATUS_PENDING:
                    break
                await asyncio.sleep(pause)
                pause = min(pause * 2, 5.0)
            if now.body.status != STATUS_VALID:
                raise translate(ValidationError([now]), self._settings.url)

    # -- the account

    async def _enter(self, client: ClientV2, email: str) -> None:
        """Use our account, after making one where the authority does not know it."""
        async with self._registering:
            account = cast(Account, self._account)
            known: bool = await _checked(lambda: _knows(client, account.uri))
            if known:
                return
            uri = await _checked(lambda: self._register(client, self._settings.email or email))
            self._account = msgspec.structs.replace(account, uri=uri)
            await self._storage.keep_account(self._account)

    def _open(self) -> ClientV2:
        from acme.client import ClientV2
        from josepy.jwa import ES256

        from skep_nginx.acme.network import PatientNetwork

        ca: Any = self._settings.ca or (_SYSTEM_CA if os.path.exists(_SYSTEM_CA) else True)  # noqa: PTH110
        net = PatientNetwork(
            _jwk(cast(Account, self._account)), alg=ES256, verify_ssl=ca, user_agent="skep", timeout=_CALL
        )
        try:
            return ClientV2(ClientV2.get_directory(self._settings.url, net), net)
        except Exception as error:
            net.session.close()
            raise translate(error, self._settings.url) from None

    def _register(self, client: ClientV2, email: str) -> str:
        from acme.errors import ConflictError
        from acme.messages import ExternalAccountBinding, NewRegistration

        binding = None
        if self._settings.eab_kid:
            secret = _read_secret(Path(self._settings.eab_hmac_file))
            public = client.net.key.public_key()  # type: ignore[union-attr]
            binding = ExternalAccountBinding.from_data(public, self._settings.eab_kid, secret, client.directory)
        client.net.account = None
        wish = NewRegistration.from_data(
            email=email or None, terms_of_service_agreed=True, external_account_binding=binding
        )
        try:
            return str(client.new_account(wish).uri)
        except ConflictError as known:
            _knows(client, known.location)
            return str(known.location)


def _knows(client: ClientV2, uri: str) -> bool:
    """Use this account; False where there is none, or the authority has lost it."""
    from acme.messages import Error, RegistrationResource

    if not uri:
        return False
    account = RegistrationResource(uri=uri, body={})
    try:
        client.net.account = account
        client.net.post(uri, None, new_nonce_url=client.directory["newNonce"])
    except Error as error:
        if error.code == "accountDoesNotExist":
            return False
        raise
    return True


async def _checked(function: Callable[[], T]) -> T:
    """Call the library in a thread. Raises OrderFailed for whatever it raises."""
    try:
        return await in_thread(function, "acme")
    except (OrderFailed, PluginError, TemporaryError):
        raise
    except Exception as error:
        raise translate(error) from None


def new_key(kind: str) -> bytes:
    """A private key, PEM."""
    from cryptography.hazmat.primitives.asymmetric import ec, rsa
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    family, _, size = kind.partition("-")
    key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
    if family == "rsa":
        key = rsa.generate_private_key(65537, int(size))
    else:
        key = ec.generate_private_key(ec.SECP256R1() if size == "256" else ec.SECP384R1())
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _jwk(account: Account) -> JWK:
    from josepy.jwk import JWKEC

    return JWKEC.load(account.key.encode())


def _thumbprint(key: JWK) -> str:
    from josepy import b64

    return b64.b64encode(key.thumbprint()).decode()


def _read_secret(path: Path) -> str:
    try:
        return read_small_file(path, 4096).decode("ascii").strip()
    except (OSError, UnicodeDecodeError):
        raise OrderFailed("refused", f"{path}, the HMAC key of your account at the authority, cannot be read") from None


def _deadline() -> datetime.datetime:
    return datetime.datetime.now() + datetime.timedelta(seconds=90)
