"""`python -m apiserver.checking`: would new objects be stored, and with which defaults? Asked by a message on standard input.

The messages are in `machinery.model.checking`.

answering      from the one to the other, by the rules of the write path; nothing is stored, and no admission plugin is asked
__main__       reads the one, writes the other
"""
