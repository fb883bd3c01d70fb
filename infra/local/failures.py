"""What a developer reads when the local stack cannot start."""


class NotStarted(Exception):  # a sentence for a person, not a fault of the program
    """The local stack cannot start; the message is one sentence that says why, and what would help."""
