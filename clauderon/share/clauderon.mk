# Targets for Makefiles:  include $(shell clauderon path mk 2>/dev/null)
# The project's gate may run that Makefile in a session, where no clauderon is: `2>/dev/null`, and nothing is included.
#
# For each prompt file $(CLAUDERON_PROMPTS)/NAME$(CLAUDERON_SUFFIX):
#
#   clauderon-run-NAME       start an agent on it, in a session of that name
#   clauderon-wait-NAME      wait until the agent has ended well
#   clauderon-collect-NAME   put its output and its patch into $(CLAUDERON_STATE)/
#   clauderon-test-NAME      run $(CLAUDERON_TEST) in the session
#   clauderon-merge-NAME     merge its branch, if that passed
#   clauderon-clean-NAME     delete the session; what was collected stays, and nothing is done again
#   clauderon-forget-NAME    the same, and the next run begins anew
#
# Without -NAME, each does it for every prompt file. Every step needs the one before it, is done once, and leaves a
# file in $(CLAUDERON_STATE)/ that says so: after an interrupt, make goes on where it was. Safe under -j; with -k, one
# failed session does not hold up the others.

ifndef clauderon_mk
clauderon_mk := 1

# The program.
CLAUDERON ?= clauderon
# The repository the agents work on.
CLAUDERON_REPO ?= .
# Where the prompts are, and how their names end.
CLAUDERON_PROMPTS ?= prompts
CLAUDERON_SUFFIX ?= .md
# What was done and what came of it; not for version control.
CLAUDERON_STATE ?= .clauderon-make
# More flags for `clauderon create`.
CLAUDERON_CREATE ?=
# The gate: a line of shell for the session's container, as `make lint && make test`. `true` lets everything pass.
CLAUDERON_TEST ?= make test
# More flags for `clauderon merge`.
CLAUDERON_MERGE ?=

# A word in quotes for the shell here.
clauderon_quoted = '$(subst ','\'',$(1))'

# make would take a space or a colon in a name for its own, the shell a quote. So the shell looks, and only names that
# a session can have come out of it; with $(1) the others, on a line each.
clauderon_look = CDPATH= cd -- $(call clauderon_quoted,$(CLAUDERON_PROMPTS)) 2>/dev/null || exit 0; LC_ALL=C; export LC_ALL; \
	end=$(call clauderon_quoted,$(CLAUDERON_SUFFIX)); \
	for file in *"$$end" .*"$$end"; do \
		[ -e "$$file" ] || continue; \
		case $${file%"$$end"} in \
		('' | [!A-Za-z0-9]* | *[!A-Za-z0-9._-]*) $(if $(1),ls -dq "./$$file") ;; \
		(*) $(if $(1),,printf '%s\n' "$${file%"$$end"}") ;; \
		esac; \
	done
clauderon_names := $(sort $(shell $(call clauderon_look,)))

.PHONY: clauderon-names
clauderon-names:
	@odd=$$($(call clauderon_look,odd)); [ -z "$$odd" ] || { \
		printf 'no name for a session: %s\n' "$$odd" >&2; \
		echo "use letters, digits, '.', '_' or '-', beginning with a letter or a digit" >&2; exit 2; }
clauderon-run clauderon-wait clauderon-collect clauderon-test clauderon-merge: clauderon-names

.PHONY: clauderon-run clauderon-wait clauderon-collect clauderon-test clauderon-merge
clauderon-run: $(clauderon_names:%=clauderon-run-%)
clauderon-wait: $(clauderon_names:%=clauderon-wait-%)
clauderon-collect: $(clauderon_names:%=clauderon-collect-%)
clauderon-test: $(clauderon_names:%=clauderon-test-%)
clauderon-merge: $(clauderon_names:%=clauderon-merge-%)

clauderon-run-%: $(CLAUDERON_STATE)/%.session ; @:
clauderon-wait-%: $(CLAUDERON_STATE)/%.ended ; @:
clauderon-collect-%: $(CLAUDERON_STATE)/%.patch ; @:
clauderon-test-%: $(CLAUDERON_STATE)/%.tested ; @:
clauderon-merge-%: $(CLAUDERON_STATE)/%.merged ; @:

# make takes what stands between two pattern rules for a by-product and would delete it.
.PRECIOUS: $(CLAUDERON_STATE)/%.session $(CLAUDERON_STATE)/%.ended $(CLAUDERON_STATE)/%.patch
.PRECIOUS: $(CLAUDERON_STATE)/%.tested $(CLAUDERON_STATE)/%.merged

# What make prints of a step: a line once it is done. `make --trace` shows the recipes.
clauderon_say = printf '%s: %s\n' '$*' '$(1)'

$(CLAUDERON_STATE):
	@mkdir -p -- $(call clauderon_quoted,$@)
	@echo '*' >$(call clauderon_quoted,$@/.gitignore)

# A make that was killed between the session and its file finds the session again by the key. The key holds the
# prompt, so that a prompt changed since is a conflict, not a silent nothing.
$(CLAUDERON_STATE)/%.session: $(CLAUDERON_PROMPTS)/%$(CLAUDERON_SUFFIX) | $(CLAUDERON_STATE)
	@$(CLAUDERON) create --quiet --print --detach --repo $(call clauderon_quoted,$(CLAUDERON_REPO)) --name '$*' --prompt-file $(call clauderon_quoted,$<) \
		--idempotency-key $(call clauderon_quoted,make $(abspath $(CLAUDERON_STATE))/$*)" $$(cksum <$(call clauderon_quoted,$<))" $(CLAUDERON_CREATE) >$(call clauderon_quoted,$@.part)
	@mv $(call clauderon_quoted,$@.part) $(call clauderon_quoted,$@)
	@$(call clauderon_say,started)

# What the agent printed, to the files $(1).out and $(1).err.
clauderon_logs = $(CLAUDERON) logs '$*' >$(call clauderon_quoted,$(1).out) 2>$(call clauderon_quoted,$(1).err)

# `wait` that prints a status has seen an agent fail; that prints nothing has failed itself, and said why.
$(CLAUDERON_STATE)/%.ended: $(CLAUDERON_STATE)/%.session
	@$(CLAUDERON) wait --quiet --format tsv '$*' >$(call clauderon_quoted,$@.part) || { status=$$?; \
		[ ! -s $(call clauderon_quoted,$@.part) ] || { $(call clauderon_logs,$(@:.ended=)); \
			for file in $(call clauderon_quoted,$(@:.ended=.out)) $(call clauderon_quoted,$(@:.ended=.err)); do tail -n 20 <"$$file" >&2; done; \
			printf '%s: the agent ended with status %s; what it printed is in %s and .err\n' '$*' "$$status" $(call clauderon_quoted,$(@:.ended=.out)) >&2; \
			echo 'hint: make clauderon-forget-$*   # the next run begins anew' >&2; }; \
		exit $$status; }
	@mv $(call clauderon_quoted,$@.part) $(call clauderon_quoted,$@)
	@$(call clauderon_say,ended)

$(CLAUDERON_STATE)/%.patch: $(CLAUDERON_STATE)/%.ended
	@$(call clauderon_logs,$(@:.patch=))
	@$(CLAUDERON) diff --committed '$*' >$(call clauderon_quoted,$@.part)
	@mv $(call clauderon_quoted,$@.part) $(call clauderon_quoted,$@)
	@$(call clauderon_say,collected)

# The gate sees the whole worktree and the merge takes commits alone, so what is not committed would pass unmerged.
$(CLAUDERON_STATE)/%.tested: $(CLAUDERON_STATE)/%.ended
	@$(CLAUDERON) status --format tsv '$*' >$(call clauderon_quoted,$@.part)
	@awk -F'\t' '$$1 == "uncommitted" && $$2 > 0 { \
		print "$*: " $$2 " uncommitted, which no merge would take; commit or remove it in the session" >"/dev/stderr"; \
		exit 1 }' $(call clauderon_quoted,$@.part)
	@$(CLAUDERON) exec --no-tty '$*' -- sh -c $(call clauderon_quoted,$(CLAUDERON_TEST)) >$(call clauderon_quoted,$(@:.tested=.test.log)) 2>&1 </dev/null \
		|| { status=$$?; cat $(call clauderon_quoted,$(@:.tested=.test.log)) >&2; exit $$status; }
	@mv $(call clauderon_quoted,$@.part) $(call clauderon_quoted,$@)
	@$(call clauderon_say,tested)

$(CLAUDERON_STATE)/%.merged: $(CLAUDERON_STATE)/%.tested
	@$(CLAUDERON) merge --quiet $(CLAUDERON_MERGE) '$*' >/dev/null
	@touch $(call clauderon_quoted,$@)
	@$(call clauderon_say,merged)

# 3: there is no such session, and that is what was wanted.
clauderon_delete = $(CLAUDERON) delete --quiet --yes '$*' >/dev/null || [ $$? -eq 3 ]

.PHONY: clauderon-clean clauderon-forget
clauderon-clean: $(clauderon_names:%=clauderon-clean-%)
clauderon-forget: $(clauderon_names:%=clauderon-forget-%)

clauderon-clean-%:
	@$(clauderon_delete)
	@$(call clauderon_say,deleted)

clauderon-forget-%:
	@$(clauderon_delete)
	@rm -f $(foreach end,session session.part ended ended.part patch patch.part out err tested tested.part test.log merged,$(call clauderon_quoted,$(CLAUDERON_STATE)/$*.$(end)))
	@$(call clauderon_say,forgotten)

endif
