"""`rollback`: return to the machine before the last update, while it is kept, and a runtime to the version before."""

from __future__ import annotations

from contextlib import ExitStack

from sre_agent_deploy.blueprint import blueprint
from sre_agent_deploy.commands import Request
from sre_agent_deploy.commands.deploy import open_journal
from sre_agent_deploy.commands.locks import hold_deployment, hold_state
from sre_agent_deploy.commands.plan import look_up_facts
from sre_agent_deploy.commands.rollback import plan_return, return_to_previous
from sre_agent_deploy.commands.user import UNATTENDED, CommandResult, Question, User
from sre_agent_deploy.commands.workspace import find_state, open_workspace
from sre_core.problem import Problem, Refused


def rollback(request: Request, user: User = UNATTENDED) -> CommandResult:
    """Let the machine before the last update serve again, and delete the one that replaced it."""
    with open_workspace(find_state(request).of_deployed(), user, start=False) as opened, ExitStack() as locks:
        locks.enter_context(hold_state(opened.store, opened.account, "rollback"))
        here = opened.reload_state()
        facts = look_up_facts(here.config, here.account, here.state, here.store.location)
        wanted = blueprint(here.config, facts)
        locks.enter_context(hold_deployment(wanted.deployment, here.account, "rollback"))
        returning = plan_return(here.account.aws, wanted, here.state, versions=True) if here.state else None
        if returning is None:
            raise Refused(_nothing_before(wanted.deployment))
        if returning[1].problems:
            raise Refused(*returning[1].problems)
        user.show_plan(returning[1])
        user.confirm(
            Question(
                "Let what served before the last update serve again, and delete the newer machine, if there is one?",
                _rollback_not_confirmed(),
            )
        )
        journal = open_journal(
            wanted.deployment, config=here.config, config_file=here.config_file, account=here.account, store=here.store, state=here.state
        )
        journal.begin_run("rollback")
        returned = return_to_previous(here, wanted, journal, user, versions=True)
        user.show_problems(returned.problems)
        if returned.problems:
            message = "\nThe rollback did not finish; run it again."
            return CommandResult(
                success=False, component="deployment", message=message, problems=returned.problems, interrupted=returned.stopped
            )
    return CommandResult(
        success=True,
        component="deployment",
        message="What served before serves again. Install the release before it deploys again, or the next deploy repeats the update.",
        details={"deployed": wanted.deployment},
        next_steps=("sre-agent-deploy verify", "sre-agent-deploy plan   (shows what the configuration would change)"),
    )


def _nothing_before(deployment: str) -> Problem:
    return Problem(
        code="ROLLBACK-NOTHING-KEPT",
        what=f"Deployment {deployment} has no machine before the one that serves. Nothing was changed.",
        why="Without deployment.keep_previous an update deletes the machine before at its end, and afterwards when that time is over.",
        do=(
            "Install the release before (`pip install sre-agent==VERSION`), restore its configuration, and run `sre-agent-deploy deploy`.",
            "For the next update, set for example deployment.keep_previous: 1h.",
        ),
    )


def _rollback_not_confirmed() -> Problem:
    return Problem(
        code="ROLLBACK-NOT-CONFIRMED",
        what="Nothing was rolled back.",
        why="A rollback deletes the newer machine, and there is no terminal to ask for a confirmation.",
        do=("See what would change: `sre-agent-deploy plan`.", "To confirm it: `sre-agent-deploy rollback --yes`."),
    )
