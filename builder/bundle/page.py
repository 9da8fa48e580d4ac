"""One HTML document for the pages of both commands: it stands alone, suits a phone and a dark screen, and shows a picture at full size."""

from __future__ import annotations

from html import escape

_BASE = """
body{font:15px/1.5 system-ui,sans-serif;margin:2em auto;max-width:1100px;padding:0 1em;color:#222;background:#fff}
table{border-collapse:collapse;margin:1em 0}th,td{padding:.3em .7em;border-bottom:1px solid #8884;text-align:left}
section{border-top:1px solid #8884;padding:1em 0}figure{margin:0}figcaption{font-size:13px}
@media(prefers-color-scheme:dark){body{background:#181818;color:#ddd}}
"""
_ZOOM_STYLE = """
figure img{cursor:zoom-in}figure img+img{margin-top:4px}
dialog{padding:0;border:0;background:#000;max-width:98vw;max-height:98vh;overflow:auto}
dialog img{display:block;cursor:zoom-out;image-rendering:pixelated;min-width:min(90vw,768px)}
"""
_ZOOM = """<dialog aria-label='the picture at full size'><img alt=''></dialog><script>
const box=document.querySelector('dialog'),large=box.querySelector('img');
document.querySelectorAll('figure img').forEach(i=>{i.tabIndex=0;
const show=()=>{large.src=i.src;large.alt=i.alt;box.showModal()};
i.addEventListener('click',show);i.addEventListener('keydown',e=>{if(e.key==='Enter')show()})});
box.addEventListener('click',()=>box.close());
</script>"""


def document(title: str, body: str, *, style: str = "", zoom: bool = False, refresh_s: int | None = None) -> str:
    """A whole page. `body` is HTML; `style` is added to what all pages share.

    With `zoom` a click on a picture of a figure shows it at its full size. With `refresh_s` the browser loads the page again after so
    many seconds. The title stands within the first 300 bytes: by it a page of ours is known.
    """
    again = f'<meta http-equiv="refresh" content="{refresh_s}">' if refresh_s is not None else ""
    styles = _BASE + (_ZOOM_STYLE if zoom else "") + style
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8">{again}'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>{escape(title)}</title><style>{styles}</style></head><body>{body}{_ZOOM if zoom else ''}</body></html>\n"
    )
