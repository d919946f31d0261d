"""Rich results: what values, figures and exceptions look like to whoever has sent the code."""
import base64
import io
import sys
import traceback

_REPRESENTATIONS = (
    ("_repr_html_", "text/html"), ("_repr_markdown_", "text/markdown"), ("_repr_latex_", "text/latex"), ("_repr_svg_", "image/svg+xml"),
    ("_repr_png_", "image/png"), ("_repr_jpeg_", "image/jpeg"), ("_repr_json_", "application/json"),
)
_LARGEST_RESULT = 4 << 20


def represent(value):
    """What a value looks like: its repr, and what it offers to notebooks (the methods that IPython has made a convention of)."""
    result = {"text/plain": repr(value)}
    for method, media in _REPRESENTATIONS:
        if isinstance(value, type) or not callable(getattr(value, method, None)):
            continue
        try:
            content = getattr(value, method)()
        except Exception:
            continue
        if isinstance(content, tuple):
            content = content[0]  # With metadata beside it.
        if isinstance(content, (bytes, bytearray)):
            content = base64.b64encode(content).decode()
        if content is not None and len(str(content)) <= _LARGEST_RESULT:
            result[media] = content
    return result


def figures():
    """Open figures of matplotlib as images; they are closed."""
    pyplot = sys.modules.get("matplotlib.pyplot")
    results = []
    for number in pyplot.get_fignums() if pyplot is not None else ():
        figure, image = pyplot.figure(number), io.BytesIO()
        figure.savefig(image, format="png", bbox_inches="tight")
        if image.tell() <= _LARGEST_RESULT:
            results.append({"text/plain": repr(figure), "image/png": base64.b64encode(image.getvalue()).decode()})
    if results:
        pyplot.close("all")
    return results[:4]


def describe(failure):
    """An exception as data. Its own methods may fail."""
    result = {"type": type(failure).__name__, "text": "", "stack": ""}
    try:
        result["text"] = str(failure)[:10000]
        result["stack"] = "".join(traceback.format_exception(failure))[-10000:]
    except Exception:
        pass
    return result
