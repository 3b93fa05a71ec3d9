"""Which files and variables make the tools of an image trust our CA. Pure; `proxy.trust` writes the files."""

from __future__ import annotations

from clauderon import paths
from clauderon.agents.image import ImageFacts
from clauderon.mount import Mount
from clauderon.paths import Home

# Where to put the bundle in an image that has none: what OpenSSL, GnuTLS, Go and Rust look at first.
_DEFAULT_BUNDLE = "/etc/ssl/certs/ca-certificates.crt"

# Set to the page's value: our CA alone, since everything these tools reach goes through the proxy.
_OUR_CA = (
    "SSL_CERT_FILE",
    "REQUESTS_CA_BUNDLE",
    # Added to the tool's own roots rather than in their place.
    "NODE_EXTRA_CA_CERTS",
    "DENO_CERT",
)
# These replace the tool's own roots, so they get the host's roots as well, for hosts passed through.
_BUNDLE = (
    "CURL_CA_BUNDLE",
    "GIT_SSL_CAINFO",
    "CARGO_HTTP_CAINFO",
    "PIP_CERT",
    "AWS_CA_BUNDLE",
    "NIX_SSL_CERT_FILE",
    "HEX_CACERTS_PATH",
    "PERL_LWP_SSL_CA_FILE",
    "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH",
    "CLOUDSDK_CORE_CUSTOM_CA_CERTS_FILE",
)


def trust_mounts(facts: ImageFacts, home: Home) -> tuple[Mount, ...]:
    """The bundle and the Java store, and the bundle once more over each bundle of the image's own.

    Read-only single files. `proxy.service.ensure` has written them; the CA itself is a row of the page.
    """
    bundle = str(home.ca_bundle)
    targets = facts.bundles or (_DEFAULT_BUNDLE,)
    return (
        Mount(bundle, paths.CONTAINER_CA_BUNDLE, read_only=True),
        Mount(str(home.truststore), paths.CONTAINER_TRUSTSTORE, read_only=True),
        *(Mount(bundle, target, read_only=True) for target in targets),
    )


def trust_env(port: int) -> dict[str, str]:
    """Variables for tools that read no system bundle. port: the session's own at the proxy, which Java is told here
    because no JVM reads HTTPS_PROXY.
    """
    proxy = f"-Dhttp.proxyHost=host.docker.internal -Dhttp.proxyPort={port}"
    proxy += f" -Dhttps.proxyHost=host.docker.internal -Dhttps.proxyPort={port}"
    store = (
        f"-Djavax.net.ssl.trustStore={paths.CONTAINER_TRUSTSTORE} -Djavax.net.ssl.trustStorePassword=changeit"
    )
    return {
        **dict.fromkeys(_OUR_CA, paths.CONTAINER_CA),
        **dict.fromkeys(_BUNDLE, paths.CONTAINER_CA_BUNDLE),
        "JAVA_TOOL_OPTIONS": f"{store} -Djavax.net.ssl.trustStoreType=PKCS12 {proxy}",
    }
