"""Claims of a language model, and the checks that each must pass before a person sees it.

A model may be wrong, and text that it reads may tell it what to say. So a claim is a sentence on one observation, with a quote of it;
it can't give advice, and what it quotes can't be an instruction.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from pydantic import BaseModel, Field

from sre_agent.evidence import Evidence, EvidenceLog
from sre_agent.finding import Finding, Rejected, accept
from sre_agent.reasoners.instructions import gives_order, is_instruction
from sre_agent.reasoners.privacy import Privacy

SHORTEST_QUOTE = 6


class ModelClaim(BaseModel):
    """One claim on one observation."""

    claim: str = Field(max_length=400, description="One sentence that says what was seen. No advice, no commands, no links.")
    evidence: str = Field(max_length=80, description="The id of the observation, as the tool gave it.")
    quote: str = Field(max_length=600, description="The words of that observation which prove the claim, copied exactly.")


@dataclass(frozen=True)
class Checked:
    """The claims that passed, and those that were refused with the reason."""

    accepted: tuple[ModelClaim, ...]
    refused: tuple[Rejected, ...]


def check_claims(claims: Iterable[ModelClaim], log: EvidenceLog, privacy: Privacy) -> Checked:
    """Check each claim against the observation that it cites."""
    accepted, refused = [], []
    for claim in claims:
        because = find_fault(claim, log, privacy)
        if because:
            refused.append(Rejected(Finding(claim=claim.claim, evidence=(claim.evidence,)), because))
        else:
            accepted.append(claim)
    return Checked(tuple(accepted), tuple(refused))


def find_fault(claim: ModelClaim, log: EvidenceLog, privacy: Privacy) -> str:
    """Return why a claim is refused; empty where it is not."""
    found = accept(Finding(claim=claim.claim, evidence=(claim.evidence,)), log)
    if isinstance(found, Rejected):
        return found.because
    if unproven := _find_fault_of_quote(claim, log[claim.evidence], privacy):
        return unproven
    if is_instruction(claim.quote) or is_instruction(claim.claim):
        return "it quotes an instruction, which is no observation"
    if gives_order(claim.claim):
        return "it tells people what to do, which only runbooks may"
    return ""


def _find_fault_of_quote(claim: ModelClaim, record: Evidence, privacy: Privacy) -> str:
    if len(_flat(claim.quote)) < SHORTEST_QUOTE:
        return "its quote is too short to prove anything"
    if not quotes(claim.quote, record, privacy):
        return f"its quote is not in {claim.evidence}"
    # An answer may repeat what was looked for.
    asked = any(_flat(claim.quote) in _flat(str(value)) for value in record.arguments.values())
    return "its quote is what the tool was asked for" if asked else ""


def quotes(quote: str, record: Evidence, privacy: Privacy) -> bool:
    """Say whether a quote is in the excerpt of a record, as the model saw it; spaces and the escapes of JSON do not count."""
    seen = (record.excerpt, privacy.hide_in(record.excerpt))
    return any(_flat(quote) in _flat(text) for text in seen)


def _flat(text: str) -> str:
    unescaped = re.sub(r'\\+(["/])', r"\1", re.sub(r"\\+[nrt]", " ", text))
    return "".join(unescaped.split()).casefold()
