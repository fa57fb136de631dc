"""placeholder"""

import mjml


def compile_mjml(source: str) -> str:
    return str(mjml.mjml2html(source))
