"""Who may do what: RBAC and the Node authorizer as pure functions."""
