"""What the controllers decide. Nothing here waits, writes, draws a random number or reads a clock.

Each module answers "what is to be done about this object, given this state of the world?" with a `Plan` of
`actions`; `controllers.execute` carries it out.
"""
