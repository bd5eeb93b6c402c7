"""Models of each provider, built from the settings alone.

Imported on first use only, because it imports the model libraries.
"""

import ssl
from typing import Final

import httpx2
from pydantic import SecretStr
from pydantic_ai.models import Model
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.providers.openai import OpenAIProvider
from pydantic_ai.settings import ModelSettings

from msil_mcp import __version__
from msil_mcp.llm.choice import ModelChoice
from msil_mcp.llm.errors import ModelMisconfigured
from msil_mcp.locales import Message
from msil_mcp.settings import Settings

OPENAI_URL: Final = "https://api.openai.com/v1"
CONNECT_SECONDS: Final = 5.0
CONNECTIONS: Final = 1000
IDLE_CONNECTIONS: Final = 100


def model_client(settings: Settings) -> httpx2.AsyncClient:
    """The connections to providers: the product's CA bundle and proxy, nothing from elsewhere."""
    try:
        context = ssl.create_default_context(cafile=settings.ssl_cert_file)
    except OSError as error:
        raise ModelMisconfigured(
            model=settings.openai_model,
            remedy=Message("reasons.model.certificates"),
        ) from error
    limits = httpx2.Limits(max_connections=CONNECTIONS, max_keepalive_connections=IDLE_CONNECTIONS)
    proxied = None
    if settings.https_proxy:
        transport = httpx2.AsyncHTTPTransport(
            verify=context, proxy=settings.https_proxy, limits=limits
        )
        proxied = {"https://": transport}
    return httpx2.AsyncClient(
        verify=context,
        trust_env=False,
        limits=limits,
        mounts=proxied,
        timeout=httpx2.Timeout(settings.model_timeout_seconds, connect=CONNECT_SECONDS),
        headers={"User-Agent": f"msil-mcp/{__version__}"},
    )


def build_model(
    choice: ModelChoice,
    settings: Settings,
    *,
    client: httpx2.AsyncClient,
    scripted_url: str | None,
) -> Model:
    """The provider's model.

    Raises:
        ModelMisconfigured: A setting or an installed part is missing; the error says which.
    """
    # Repeating is ours, because only we know what was shown already.
    limits = ModelSettings(
        timeout=settings.model_timeout_seconds,
        max_retries=0,
        parallel_tool_calls=True,
        cache=True,
    )
    match choice.provider:
        case "scripted":
            if scripted_url is None:
                raise ModelMisconfigured(
                    model=str(choice), remedy=Message("reasons.model.script_not_running")
                )
            provider = OpenAIProvider(
                base_url=scripted_url, api_key="none-needed", http_client=client
            )
            return OpenAIChatModel(choice.name, provider=provider, settings=limits)
        case "openai":
            provider = OpenAIProvider(
                base_url=settings.openai_base_url or OPENAI_URL,
                api_key=_secret(settings.openai_api_key, choice, variable="OPENAI_API_KEY"),
                http_client=client,
            )
            return OpenAIChatModel(choice.name, provider=provider, settings=limits)
        case "azure":
            return _azure(choice, settings, client=client, limits=limits)
        case "ollama":
            from pydantic_ai.models.ollama import OllamaModel
            from pydantic_ai.providers.ollama import OllamaProvider

            ollama = OllamaProvider(base_url=settings.ollama_base_url, http_client=client)
            return OllamaModel(choice.name, provider=ollama, settings=limits)
        case "vllm":
            from pydantic_ai.providers.vllm import VLLMProvider

            vllm = VLLMProvider(base_url=settings.vllm_base_url, http_client=client)
            return OpenAIChatModel(choice.name, provider=vllm, settings=limits)
        case "anthropic":
            return _anthropic(choice, settings, client=client, limits=limits)
        case "bedrock":
            return _bedrock(choice, settings)


def _azure(
    choice: ModelChoice, settings: Settings, *, client: httpx2.AsyncClient, limits: ModelSettings
) -> Model:
    from pydantic_ai.providers.azure import AzureProvider

    endpoint = settings.azure_openai_endpoint.rstrip("/")
    if not endpoint:
        raise ModelMisconfigured(
            model=str(choice), remedy=Message("reasons.model.set", variable="AZURE_OPENAI_ENDPOINT")
        )
    if not settings.openai_api_version and not endpoint.endswith("/v1"):
        endpoint += "/openai/v1"
    provider = AzureProvider(
        azure_endpoint=endpoint,
        api_version=settings.openai_api_version or None,
        api_key=_secret(settings.azure_openai_api_key, choice, variable="AZURE_OPENAI_API_KEY"),
        http_client=client,
    )
    return OpenAIChatModel(choice.name, provider=provider, settings=limits)


def _anthropic(
    choice: ModelChoice, settings: Settings, *, client: httpx2.AsyncClient, limits: ModelSettings
) -> Model:
    key = _secret(settings.anthropic_api_key, choice, variable="ANTHROPIC_API_KEY")
    try:
        from pydantic_ai.models.anthropic import AnthropicModel
        from pydantic_ai.providers.anthropic import AnthropicProvider
    except ImportError as error:
        raise _extra_missing(choice, extra="anthropic") from error
    provider = AnthropicProvider(api_key=key, http_client=client)
    return AnthropicModel(choice.name, provider=provider, settings=limits)


def _bedrock(choice: ModelChoice, settings: Settings) -> Model:
    if not settings.aws_region:
        raise ModelMisconfigured(
            model=str(choice), remedy=Message("reasons.model.set", variable="AWS_REGION")
        )
    try:
        from pydantic_ai.models.bedrock import BedrockConverseModel
        from pydantic_ai.providers.bedrock import BedrockProvider
    except ImportError as error:
        raise _extra_missing(choice, extra="bedrock") from error
    # boto3 has its own connections, timeouts and credentials; it takes none of ours.
    provider = BedrockProvider(
        region_name=settings.aws_region,
        aws_read_timeout=settings.model_timeout_seconds,
        aws_connect_timeout=CONNECT_SECONDS,
    )
    return BedrockConverseModel(choice.name, provider=provider, settings=ModelSettings(cache=True))


def _secret(value: SecretStr | None, choice: ModelChoice, *, variable: str) -> str:
    if value is None:
        raise ModelMisconfigured(
            model=str(choice), remedy=Message("reasons.model.set", variable=variable)
        )
    return value.get_secret_value()


def _extra_missing(choice: ModelChoice, *, extra: str) -> ModelMisconfigured:
    return ModelMisconfigured(
        model=str(choice),
        remedy=Message("reasons.model.libraries", extra=extra),
    )
