"""Two pages of an evaluation: all pictures side by side with their figures, and a blind vote between two makers' pictures.

The vote shows two pictures of one photograph without names, in an order that the browser draws. Its result is data: a JSON file
that the person saves, one entry a choice.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from html import escape
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from builder.bundle.page import make_document
from builder.bundle.pictures import read_rgb
from builder.quality.difference import encode_png
from builder.quality.measures import BY_NAME

if TYPE_CHECKING:
    from builder.pipeline.evaluate import Evaluation

PAGE, VOTE = "page.html", "vote.html"
STYLE = """
body{max-width:1400px}.row{display:flex;flex-wrap:wrap;gap:14px}figure{width:256px}figure img{width:256px;display:block}
td.n,th.n{text-align:right;font-variant-numeric:tabular-nums}
"""
VOTE_STYLE = """
#two{display:flex;gap:14px;flex-wrap:wrap}#two button,#same{font:inherit;padding:.5em;cursor:pointer}
#two img{width:min(45vw,512px);display:block}textarea{width:100%;height:12em}
"""
# `trials` are of [picture, maker, maker]; the browser draws their order and which side each maker stands on.
VOTE_SCRIPT = """
const data=JSON.parse(document.getElementById('data').textContent),votes=[];
const draw=n=>crypto.getRandomValues(new Uint32Array(1))[0]%n;
const left=[...data.trials];for(let i=left.length-1;i>0;i--){const j=draw(i+1);[left[i],left[j]]=[left[j],left[i]]}
const at=id=>document.getElementById(id);let now;
function next(){
 if(!left.length){at('trial').hidden=true;at('end').hidden=false;
  const text=JSON.stringify({schema:1,reference:data.reference,votes},null,1);at('result').value=text;
  at('save').href='data:application/json;charset=utf-8,'+encodeURIComponent(text);return}
 const [picture,one,other]=left.pop(),turned=draw(2)===1;
 now={picture,left:turned?other:one,right:turned?one:other};
 at('a').src=data.pictures[now.left][picture];at('b').src=data.pictures[now.right][picture];
 at('count').textContent=(data.trials.length-left.length)+' of '+data.trials.length}
function choose(side){votes.push({...now,chosen:side===null?null:now[side]});next()}
at('left').onclick=()=>choose('left');at('right').onclick=()=>choose('right');at('same').onclick=()=>choose(null);
document.addEventListener('keydown',e=>{if(at('trial').hidden)return;
 if(e.key==='ArrowLeft')choose('left');if(e.key==='ArrowRight')choose('right');if(e.key==='ArrowDown')choose(null)});
next();
"""


def render_pages(
    found: Evaluation, wanted: Mapping[str, Path], made: Mapping[str, Mapping[str, Path]]
) -> dict[str, str]:
    """HTML by file name; no vote where one maker stands alone."""
    written = {PAGE: _place_side_by_side(found, wanted, made)}
    if len(made) > 1:
        written[VOTE] = _vote(found, made)
    return written


def _place_side_by_side(found: Evaluation, wanted: Mapping[str, Path], made: Mapping[str, Mapping[str, Path]]) -> str:
    parts = [f"<h1>Pictures against {escape(found.reference)}</h1>", _table(found)]
    for measure, why in found.left_out.items():
        parts.append(f"<p>{escape(measure)} is left out: {escape(why)}.</p>")
    for name in found.pictures:
        figures = [_figure(found.reference, wanted[name], "")]
        for each in found.sets:
            said = ", ".join(f"{f.measure} {f.each[name]:.4g}" for f in each.figures if name in f.each)
            figures.append(_figure(each.name, made[each.name][name], said))
        parts.append(f"<section><h2>{escape(name)}</h2><div class='row'>{''.join(figures)}</div></section>")
    return make_document(f"Pictures of {found.reference}", "".join(parts), style=STYLE, zoom=True)


def _table(found: Evaluation) -> str:
    measures = list(dict.fromkeys(figure.measure for each in found.sets for figure in each.figures))
    head = "".join(f"<th class='n'>{escape(each.name)}</th>" for each in found.sets)
    rows = []
    for name in measures:
        measure = BY_NAME[name]
        cells = []
        for each in found.sets:
            figure = next((f for f in each.figures if f.measure == name), None)
            cells.append("" if figure is None else f"{figure.mean:.4g} (worst {figure.worst:.4g})")
        unit = f" {measure.unit}" if measure.unit else ""
        rows.append(
            f"<tr><td>{escape(name)}{unit}, {measure.better} is better</td>{''.join(f'<td class=n>{cell}</td>' for cell in cells)}</tr>"
        )
    return f"<table><tr><th></th>{head}</tr>{''.join(rows)}</table>"


def _figure(name: str, file: Path, said: str) -> str:
    return f"<figure><img src='{_data(file)}' alt='{escape(name, quote=True)}'><figcaption><b>{escape(name)}</b> {escape(said)}</figcaption></figure>"


def _data(file: Path) -> str:
    return f"data:image/png;base64,{base64.b64encode(encode_png(np.asarray(read_rgb(file), np.uint8))).decode()}"


def _vote(found: Evaluation, made: Mapping[str, Mapping[str, Path]]) -> str:
    data = {
        "reference": found.reference,
        "pictures": {maker: {name: _data(files[name]) for name in found.pictures} for maker, files in made.items()},
        "trials": [[name, one, other] for name in found.pictures for one, other in combinations(made, 2)],
    }
    held = json.dumps(data).replace("<", "\\u003c")
    body = (
        "<h1>Which do you like better?</h1>"
        "<div id='trial'><p><span id='count'></span>. Click a picture, or press the left or right arrow; down for no difference.</p>"
        "<div id='two'><button id='left'><img id='a' alt='the left picture'></button><button id='right'><img id='b' alt='the right picture'>"
        "</button></div><p><button id='same'>no difference</button></p></div>"
        "<div id='end' hidden><p>Thank you. <a id='save' download='votes.json'>Save your votes</a> and send them to whoever asked.</p>"
        "<textarea id='result' readonly aria-label='your votes'></textarea></div>"
        f"<script type='application/json' id='data'>{held}</script><script>{VOTE_SCRIPT}</script>"
    )
    return make_document("A blind vote between pictures", body, style=VOTE_STYLE)
