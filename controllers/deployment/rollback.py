"""Back to a revision that an annotation names, as clients of extensions/v1beta1 asked for it; kubectl writes the template itself.

The template of that revision's ReplicaSet becomes the deployment's, with the annotations that it was made with.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from controllers.core.actions import Plan, RecordEvent, event
from controllers.core.merge_patch import diff_documents, patch_at_revision
from controllers.core.workloads import DEPLOYMENTS, Deployment, ReplicaSet, with_label
from controllers.deployment.annotations import NOT_COPIED, ROLLBACK_TO, revision_of_set
from controllers.deployment.template import HASH_LABEL, is_same

_NO_LAST: Final = "Unable to find last revision."
_NOT_FOUND: Final = "Unable to find the revision to rollback to."


def is_asked_for(deployment: Deployment) -> bool:
    """Whether the annotation names a revision, or 0: the one before the last."""
    return _revision_asked_for(deployment) is not None


def roll_back(deployment: Deployment, owned: Sequence[ReplicaSet]) -> Plan:
    """Return the plan that rolls back, or says why not; the annotation goes in any case."""
    revision = _revision_asked_for(deployment) or _last_but_one(owned)
    if not revision:
        return _given_up(deployment, "RevisionNotFound", _NO_LAST)
    found = next((rs for rs in owned if revision_of_set(rs) == revision), None)
    if found is None:
        return _given_up(deployment, "RevisionNotFound", _NOT_FOUND)
    if is_same(found.spec.template, deployment.spec.template):
        name = deployment.metadata.name
        message = f'The rollback revision contains the same template as current deployment "{name}"'
        return _given_up(deployment, "TemplateUnchanged", message)
    message = f'Rolled back deployment "{deployment.metadata.name}" to revision {revision}'
    return _written(
        deployment, _document(deployment, found), event(deployment, "Normal", "DeploymentRollback", message)
    )


def _revision_asked_for(deployment: Deployment) -> int | None:
    text = deployment.metadata.annotations.get(ROLLBACK_TO, "")
    return int(text) if text.isascii() and text.isdigit() else None


def _last_but_one(owned: Sequence[ReplicaSet]) -> int:
    revisions = sorted({revision_of_set(rs) for rs in owned} - {0})
    return revisions[-2] if len(revisions) > 1 else 0


def _document(deployment: Deployment, rs: ReplicaSet) -> dict[str, Any]:
    template = with_label(rs.spec.template, HASH_LABEL, None)
    return {
        "metadata": {
            "annotations": diff_documents(deployment.metadata.annotations, _annotations(deployment, rs))
        },
        "spec": {"template": diff_documents(deployment.spec.template, template)},
    }


def _annotations(deployment: Deployment, rs: ReplicaSet) -> dict[str, str]:
    """Return those of the ReplicaSet in place of the deployment's, except for those that each keeps for itself."""
    own = {key: text for key, text in deployment.metadata.annotations.items() if key in NOT_COPIED}
    from_set = {key: text for key, text in rs.metadata.annotations.items() if key not in NOT_COPIED}
    return {key: text for key, text in (own | from_set).items() if key != ROLLBACK_TO}


def _given_up(deployment: Deployment, reason: str, message: str) -> Plan:
    document = {"metadata": {"annotations": {ROLLBACK_TO: None}}}
    return _written(
        deployment, document, event(deployment, "Warning", f"DeploymentRollback{reason}", message)
    )


def _written(deployment: Deployment, document: dict[str, Any], told: RecordEvent) -> Plan:
    return Plan((patch_at_revision(DEPLOYMENTS, deployment, document), told))
