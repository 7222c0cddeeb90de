"""A request as benches send it through the router's own code, without HTTP."""

from deployments.router.http.request import AUTO, Endpoint, LaarOptions, RoutedRequest


def chat_request(text: str, *, max_tokens: int, language: str | None = None) -> RoutedRequest:
    """One text for any model, answered the same each time; its language is detected unless given."""
    return RoutedRequest(
        endpoint=Endpoint.CHAT,
        body=b"",
        model=AUTO,
        texts=(text,),
        stream=False,
        max_tokens=max_tokens,
        is_repeatable=True,
        options=LaarOptions(language=language),
    )
