"""schemathesis, as it is published: what an apiserver's OpenAPI documents offer is answered as they say."""

from __future__ import annotations

import asyncio
from asyncio.subprocess import PIPE, STDOUT
from pathlib import Path

from tests.support.apiserver import certificates, serving
from tests.support.client_projects import python_project
from tests.support.requirements import need

EXAMPLES = 1  # of each of some 370 operations


async def test_answers_are_what_the_documents_say(tmp_path: Path):
    """No answer is the server's fault, and every one has the media type and the schema that its document names."""
    need("uv")
    project = await asyncio.to_thread(python_project, "schemathesis")
    pki = certificates(tmp_path)
    async with serving(pki) as served:
        await served.core.bootstrap.run()
        url, admin = f"https://{served.config.rest_listen[0]}", "admin"
        files = map(str, (pki.certificate("ca"), pki.certificate(admin), pki.key(admin)))
        command = project.command("every_operation.py", url, *files, str(EXAMPLES))
        process = await asyncio.create_subprocess_exec(*command, stdout=PIPE, stderr=STDOUT)
        async with asyncio.timeout(300):
            said, _ = await process.communicate()
    assert process.returncode == 0, said.decode()[-5_000:]
