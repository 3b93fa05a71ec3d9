"""The credentials clauderon knows without being told: whose hosts, which header, which variables. Data only.

Where two name the same host, the first of them that has a secret counts. A table `[credentials.<name>]` in
`config.toml` changes one of these key by key, or adds another.
"""

from __future__ import annotations

from clauderon.config.schema import Credential

BUILTIN_CREDENTIALS: dict[str, Credential] = {
    credential.name: credential
    for credential in (
        Credential(
            name="anthropic",
            hosts=("api.anthropic.com",),
            header="x-api-key",
            format="{secret}",
            env=("ANTHROPIC_API_KEY",),
            file="anthropic_api_key",
            model_api=True,
        ),
        # The same host as `anthropic`: where both are set the API key counts, as in Claude Code itself.
        Credential(
            name="anthropic-oauth",
            hosts=("api.anthropic.com",),
            header="authorization",
            format="Bearer {secret}",
            env=("CLAUDE_CODE_OAUTH_TOKEN", "ANTHROPIC_AUTH_TOKEN"),
            file="claude_code_oauth_token",
            model_api=True,
        ),
        Credential(
            name="openai",
            hosts=("api.openai.com",),
            env=("OPENAI_API_KEY", "CODEX_API_KEY"),
            file="openai_api_key",
            model_api=True,
            websocket=True,  # Codex speaks to its model over one
        ),
        Credential(
            name="google",
            hosts=("generativelanguage.googleapis.com",),
            header="x-goog-api-key",
            format="{secret}",
            env=("GEMINI_API_KEY", "GOOGLE_API_KEY"),
            file="gemini_api_key",
            model_api=True,
        ),
        Credential(
            name="github",
            hosts=("api.github.com", "uploads.github.com"),
            env=("GH_TOKEN", "GITHUB_TOKEN"),
            file="github_token",
        ),
        # git's own endpoints take no Bearer token; any user name will do, this is the documented one.
        Credential(
            name="github-git",
            hosts=("github.com",),
            format="Basic {basic}",
            basic_user="x-access-token",
            env=("GH_TOKEN", "GITHUB_TOKEN"),
            file="github_token",
        ),
    )
}
