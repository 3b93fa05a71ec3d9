"""Which files run by themselves once they are in a checkout, or change what another program runs, by their names.

Data and matching only. "By itself" means: without that its name is typed; on entering a directory, opening it in an
editor, starting an agent or an interpreter there, installing, committing, pushing. A Makefile's target is typed, and
its change is plain to see in the diff, so it is not here; a `GNUmakefile` that steps in front of it is.
"""

from __future__ import annotations

from fnmatch import fnmatchcase

from clauderon.airlock.gitlike import folded

# Who runs it, and the patterns: a name as git's (`*` and `?`), anywhere; with a slash before it at the top alone; with
# one behind it a directory anywhere, and all that is below. Compared without letter case.
_TABLE = """
your shell, on entering the directory:
    .envrc .env .env.local .mise.toml mise.toml .mise/ .mise.local.toml mise.local.toml .rtx.toml
    .tool-versions .autoenv .autoenv.zsh .in .out devbox.json devenv.nix .devenv/ .direnvrc direnvrc
    .venv/ venv/ .config/mise/ mise/config.toml
your editor, on opening the directory:
    .vscode/ *.code-workspace .idea/ *.iml *.ipr .fleet/ .zed/ .helix/ .vim/ .exrc .nvimrc .vimrc
    .nvim.lua .nvim/ .lvimrc .local.vimrc .dir-locals.el .dir-locals-2.el .projectile
    *.sublime-project .sublime/ .vs/ .settings/ .project .classpath .kakrc .kak/ .clangd .clang-tidy
    .ccls compile_commands.json CMakePresets.json CMakeUserPresets.json .luarc.json .luarc.jsonc
    .neoconf.json .nlsp-settings/ .editorconfig-checker.json .theia/ .ycm_extra_conf.py .ruby-lsp/
your editor or container tool:
    .devcontainer/ .devcontainer.json .gitpod.yml .gitpod.dockerfile .devfile.yaml devfile.yaml
a coding agent, on its start:
    .claude/ .mcp.json mcp.json .cursor/ .cursorrules .codex/ .gemini/ .windsurf/ .windsurfrules
    .continue/ .roo/ .roomodes .kiro/ .opencode/ opencode.json opencode.jsonc .amazonq/ .junie/
    .clinerules .clinerules/ .aider.conf.yml .aiderignore .agents/ .qwen/ .trae/ .augment/
    .goosehints .goose/ .crush.json crush.json .copilot/ copilot-instructions.md CLAUDE.md
    CLAUDE.local.md AGENTS.md AGENTS.override.md GEMINI.md QWEN.md WARP.md
git, as a hook or by its configuration:
    .husky/ .huskyrc* .git-hooks/ .githooks/ .git_hooks/ githooks/ git-hooks/ /hooks/ .hooks/
    .pre-commit-config.yaml .pre-commit-config.yml .pre-commit-hooks.yaml prek.toml lefthook.*
    .lefthook.* lefthook-local.* .lefthook-local.* .lefthook/ .overcommit.yml .overcommit/
    captainhook.json .captainhook.json .lintstagedrc* lint-staged.config.* .simple-git-hooks*
    simple-git-hooks.* commitlint.config.* .commitlintrc* grumphp.yml .cz.* .czrc .rusty-hook.toml
    .cargo-husky/ .gitconfig .gitmodules .lfsconfig gitmessage.sh
another version control, in a shell's prompt too:
    .hg/ .svn/ .bzr/ .jj/ _darcs/ .fslckout _FOSSIL_ .pijul/ .sl/ CVS/
a continuous integration:
    .github/workflows/ .github/actions/ action.yml action.yaml .gitea/workflows/ .forgejo/workflows/
    .gitlab-ci.yml .gitlab/ci/ .circleci/ .travis.yml Jenkinsfile* azure-pipelines*
    .azure-pipelines/ .azuredevops/ bitbucket-pipelines.yml .drone.yml .drone.star .drone.jsonnet
    .woodpecker.* .woodpecker/ .buildkite/ .cirrus.yml .cirrus.star .semaphore/ .teamcity/
    appveyor.yml .appveyor.yml .builds/ .build.yml buildspec.* cloudbuild.* .harness/ .tekton/
    .zuul.* zuul.d/ .prow.* .readthedocs.y*ml netlify.toml vercel.json .tugboat/ .codefresh/
    wercker.yml renovate.json*
a package manager, on installing:
    .npmrc .yarnrc .yarnrc.yml .yarn/ .pnpmfile.* pnpm-workspace.yaml bunfig.toml binding.gyp
    .bundle/ .gemrc setup.py pip.conf pip.ini .pip/ uv.toml .condarc .curlrc .netrc .pypirc
    node_modules/ vendor/bin/ hatch_build.py .corepack.env lerna.json .nuget/ nuget.config
    Directory.Build.* Directory.Packages.props global.json *.gemspec extconf.rb
a compiler or build tool, besides what it builds:
    .cargo/ build.rs rust-toolchain rust-toolchain.toml rustfmt.toml .bazelrc .bazelversion
    tools/bazel .buckconfig .buckconfig.d/ gradlew gradlew.bat gradle/wrapper/ gradle.properties
    init.gradle* settings.gradle* .mvn/ mvnw mvnw.cmd GNUmakefile .makerc go.work .goreleaser*
    CMakeUserPresets.json meson_options.txt *.user *.rsp docker-compose.override.*
    compose.override.* .dockerignore.sh local.properties .jvmopts .sbtopts project/plugins.sbt
an interpreter or a test runner started there:
    conftest.py sitecustomize.py usercustomize.py *.pth *.pyc *.pyo __pycache__/ pytest.ini
    .pytest.ini tox.ini setup.cfg .pdbrc ipython_config.py .ipython/ jupyter_*config.py .jupyter/
    .pythonstartup .Rprofile .Renviron .irbrc .pryrc .byebugrc .rspec .rubyopt .node_repl* .noderc
    .mocharc.* .babelrc* babel.config.* .swcrc jest.config.* vitest.config.* vite.config.* .taprc
    .nycrc* ava.config.* playwright.config.* .perlrc .phpunit* phpunit.xml* .user.ini php.ini
    .ocamlinit .ghci .iex.exs .octaverc .gdbinit .lldbinit .gdb/ *-gdb.py .psqlrc .sqliterc
    .juliarc.jl .scalarc ansible.cfg .ansible.cfg .terraformrc terraform.rc .tflint.hcl .screenrc
    .tmux.conf .inputrc .bashrc .bash_profile .profile .zshrc .zshenv .zprofile .login .cshrc .hgrc
    wgetrc .wgetrc .ackrc .vagrant/ Vagrantfile Procfile Tiltfile
a linter or formatter, in an editor too:
    .eslintrc* eslint.config.* .prettierrc* prettier.config.* .stylelintrc* stylelint.config.*
    tailwind.config.* postcss.config.* .postcssrc* .pylintrc pylintrc .flake8 mypy.ini .mypy.ini
    .rubocop.yml .solargraph.yml .luacheckrc .golangci.* .php-cs-fixer* .php_cs* phpstan.* psalm.xml
    rector.php .credo.exs .formatter.exs .perltidyrc .perlcriticrc biome.json* .oxlintrc.json
    .remarkrc* .markdownlint* .textlintrc* .xo-config* .ember-cli dprint.json .trunk/
a desktop, on showing the directory:
    *.desktop autorun.inf desktop.ini *.lnk *.url *.scf *.library-ms *.webloc .directory
"""


def _rules() -> tuple[tuple[str, str], ...]:
    found = []
    who = ""
    for row in _TABLE.strip().splitlines():
        if not row.startswith(" "):
            who = row.removesuffix(":")
        else:
            found += [(who, pattern) for pattern in row.split()]
    return tuple(found)


RULES = _rules()
_FOLDED = tuple((who, pattern.casefold()) for who, pattern in RULES)


def who_runs(path: str) -> str | None:
    """Who runs the file at `path` by itself, or None."""
    parts = [folded(part) for part in path.split("/")]
    for who, pattern in _FOLDED:
        at_top = pattern.startswith("/")
        wanted = pattern.strip("/").split("/")
        ends = (len(parts),) if not pattern.endswith("/") else range(len(wanted), len(parts) + 1)
        for end in ends:
            start = end - len(wanted)
            if start < 0 or (at_top and start):
                continue
            if all(map(fnmatchcase, parts[start:end], wanted)):
                return who
    return None
