"""`python -m scheduler.simulation`: what the scheduler would decide, asked by a message on standard input.

The messages are in `machinery.model.simulation`.

answering      from a question to an answer, by `scheduler.core.simulation`
explaining     one pod, by `scheduler.core.explaining`
__main__       reads the one, writes the other
"""
