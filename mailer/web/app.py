"""placeholder"""


def create_app(settings, database): ...
