"""The same incident among many applications that are well: each is a copy of one that has no part in the fault, under a name of its own."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property

from evals.suites.build import list_innocent
from evals.suites.incident import Incident, Object, list_owned

MANY = 220  # applications, of which a system has then at least so many
_COPIED = ("pods", "deployments", "statefulsets", "replicasets", "services", "endpointslices", "serviceaccounts")
_STEMS = ("atlas", "basil", "comet", "dune", "elm", "flint", "gale", "hazel", "iris", "jade", "knoll", "lark", "moss", "nectar", "opal",
          "petal", "quill", "reed", "slate", "thyme", "ursa", "vine", "wren", "yew", "zinc")  # fmt: skip
_ADDRESS = re.compile(r"\b10\.(\d{1,3})(?=\.\d{1,3}\.\d{1,3}\b)")


@dataclass(frozen=True)
class _Copy:
    """One copy of the applications that are well: their new names, and a number that moves their addresses."""

    number: int
    names: Mapping[str, str]

    def change(self, text: str) -> str:
        """Write the new names and addresses."""
        text = self._old.sub(lambda found: self.names[found[0]], text)
        return _ADDRESS.sub(lambda found: f"10.{(int(found[1]) + self.number * 7) % 256}", text)

    @cached_property
    def _old(self) -> re.Pattern[str]:
        old = "|".join(map(re.escape, sorted(self.names, key=len, reverse=True)))
        return re.compile(rf"(?<![\w-])(?:{old})(?![a-z0-9])")


def enlarge(incident: Incident, most: int = MANY) -> Incident:
    """Return the incident in a system of so many applications. What is expected of it stays."""
    well = _list_well(incident)
    count = -(-(most - len(incident.services)) // max(len(well), 1)) if well else 0
    copies = [_Copy(number, {name: _name(number * len(well) + place) for place, name in enumerate(well)}) for number in range(1, count + 1)]
    objects = dict(incident.objects)
    for kind in _COPIED:
        owned = [item for name in well for item in list_owned(incident, name, kind)]
        objects[kind] = [*incident.objects.get(kind, ()), *(_copy(item, one) for one in copies for item in owned)]
    logs = {one.names[name]: [one.change(line) for line in incident.logs.get(name, ())] for one in copies for name in well}
    series = {
        file: [*found, *(_copy(one, copied) for copied in copies for one in found if _is_of(one, well))]
        for file, found in incident.series.items()
    }
    return replace(incident, name=f"{incident.name}, enlarged", objects=objects, logs={**incident.logs, **logs}, series=series)


def _list_well(incident: Incident) -> tuple[str, ...]:
    """List the applications without a part in the fault that do not depend on it either; where all do, those without a part in it."""
    faults = {one.object.partition("/")[2] for one in incident.expected}
    innocent = list_innocent(incident, *faults)
    needs = _list_needs(incident)
    suffering = set(faults)
    while found := {name for name, needed in needs.items() if needed & suffering} - suffering:
        suffering |= found
    return tuple(name for name in innocent if name not in suffering) or innocent


def _list_needs(incident: Incident) -> dict[str, set[str]]:
    """List what each application calls, by its settings and by measured calls."""
    names = "|".join(map(re.escape, sorted(incident.services, key=len, reverse=True)))
    needs = {
        str(one["metadata"]["name"]): set(re.findall(rf"(?<![\w-])(?:{names})(?![\w-])", json.dumps(one["spec"]["template"]["spec"])))
        for one in incident.objects.get("deployments", ())
    }
    for one in incident.series.get("calls", ()):
        needs.setdefault(str(one["metric"].get("client")), set()).add(str(one["metric"].get("server")))
    return needs


def _name(number: int) -> str:
    """Return a name of two words, another one for each of many hundred numbers."""
    return f"{_STEMS[number % len(_STEMS)]}-{_STEMS[number // len(_STEMS) % len(_STEMS)]}-app"


def _copy(item: Object, copied: _Copy) -> Object:
    values = item.get("values")
    written = copied.change(json.dumps({**item, "values": []} if values else item))
    found: Object = json.loads(written)
    return {**found, "values": values} if values else found


def _is_of(series: Object, names: tuple[str, ...]) -> bool:
    metric = series["metric"]
    return bool({metric.get("service"), metric.get("client")} & set(names))
