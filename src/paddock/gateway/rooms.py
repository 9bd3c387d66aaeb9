"""What the gateway is made of, for those who look at it and change it."""

from dataclasses import dataclass

from paddock.gateway.breaker import Breakers
from paddock.gateway.directory import Directory
from paddock.gateway.gateway import Gateway
from paddock.gateway.provider_book import ProviderBook
from paddock.gateway.replaying import Replayer
from paddock.gateway.rule_book import RuleBook
from paddock.providers.shelf import Providers


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayRooms:
    """Everything that an admin route may want of it."""

    gateway: Gateway
    directory: Directory
    rules: RuleBook
    definitions: ProviderBook
    providers: Providers
    breakers: Breakers
    replayer: Replayer
