"""One request's journey: from the name that was asked to who answers it, and on to the next when that one cannot.

`routing.route` is pure: it turns a name, rules, profiles and models into an ordered list of targets, and explains every step.
`Gateway` acts on it: it is a Provider over other providers, retries, and keeps count of who fails. Handed the library, the
providers and the database of rules by the composition root.
"""
