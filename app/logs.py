"""Logs of the page in the form that LAB_LOG asks for, Streamlit's and uvicorn's among them."""

from __future__ import annotations

import logging

from streamlit import logger as of_streamlit

from engine.operate import logs


def configure_logs() -> None:
    """With LAB_LOG=json, write one JSON object a line on stderr; else leave the logs as Streamlit writes them. Raises BadInput.

    Streamlit gives each of its loggers, and uvicorn's, a handler of its own, also later on: both are told the form.
    """
    if not logs.is_json():
        return
    form = logs.make_formatter()
    make_handler = of_streamlit.setup_formatter

    def make_json_handler(logger: logging.Logger) -> None:
        make_handler(logger)
        for handler in logger.handlers:
            handler.setFormatter(form)

    of_streamlit.setup_formatter = make_json_handler
    known = [one for one in logging.root.manager.loggerDict.values() if isinstance(one, logging.Logger)]
    for handler in [handler for logger in known for handler in logger.handlers]:
        handler.setFormatter(form)
    logs.configure_logs()
