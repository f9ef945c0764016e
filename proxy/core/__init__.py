"""What the proxy decides: pure functions from API objects to rules, routes and flows to forget."""
