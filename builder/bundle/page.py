"""One HTML document for the pages of both commands: it stands alone, suits a phone and a dark screen, and shows a picture at full size."""

from __future__ import annotations

from html import escape

# Nothing is loaded from elsewhere: pictures, styles and scripts stand in the file.
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:"
# The colours of all pages, in light and in dark; a page's own style uses them by name.
_BASE = """
:root{--paper:#fbfbf9;--card:#fff;--ink:#23262b;--soft:#666d78;--line:#dcdfe3;--accent:#2f6f9f;--warm:#d2691e;
--ok:#1f7a45;--ok-back:#e4f3ea;--unstable:#8a5a00;--unstable-back:#fbf0d6;--invalid:#b3261e;--invalid-back:#fce6e4}
@media(prefers-color-scheme:dark){:root{--paper:#15181c;--card:#1d2126;--ink:#e4e6e9;--soft:#9aa3af;--line:#353b43;--accent:#78b5e0;
--warm:#f0954a;--ok:#7bd3a0;--ok-back:#183527;--unstable:#e9bf66;--unstable-back:#3a2f14;--invalid:#ff9d95;--invalid-back:#451f1c}}
body{font:15px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans","DejaVu Sans",sans-serif;margin:2em auto;max-width:1100px;
padding:0 1em;color:var(--ink);background:var(--paper)}a{color:var(--accent)}
table{border-collapse:collapse;margin:1em 0}th,td{padding:.3em .7em;border-bottom:1px solid var(--line);text-align:left}
td.n,th.n{text-align:right;font-variant-numeric:tabular-nums}
section{border-top:1px solid var(--line);padding:1em 0}figure{margin:0}figcaption{font-size:13px}
svg text{font:12px system-ui,sans-serif;fill:var(--soft)}
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


def make_document(title: str, body: str, *, style: str = "", zoom: bool = False, refresh_s: int | None = None) -> str:
    """A whole page. `body` is HTML; `style` is added to what all pages share.

    With `zoom` a click on a picture of a figure shows it at its full size. With `refresh_s` the browser loads the page again after so
    many seconds. The title stands within the first 300 bytes: by it a page of ours is known.
    """
    again = f'<meta http-equiv="refresh" content="{refresh_s}">' if refresh_s is not None else ""
    styles = _BASE + (_ZOOM_STYLE if zoom else "") + style
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8">{again}'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>{escape(title)}</title>"
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}"><meta name="color-scheme" content="light dark">'
        f'<link rel="icon" href="data:,"><style>{styles}</style></head><body>{body}{_ZOOM if zoom else ""}</body></html>\n'
    )
