/** A page of HTML that needs no network and runs no script. */
import { escape, styles } from "./svg.ts"

/** The parts of a page, each as safe HTML. */
export interface Page {
  readonly title: string
  readonly body: string
}

const rules = [
  ":root{color-scheme:light dark;--ground:#f4f6f9;--card:#ffffff;--line:#d3dae2;--text:#16202c;--soft:#566373;--code:#eef1f5;" +
  "--running:#1d5fd1;--succeeded:#15803d;--partial:#96600a;--failed:#c81e3a;--alarm:#fff4f5}",
  "@media(prefers-color-scheme:dark){:root{--ground:#090d12;--card:#0e141b;--line:#2a3542;--text:#eaf0f6;--soft:#9aa8b7;--code:#17202a;" +
  "--running:#62a2ff;--succeeded:#46c06a;--partial:#e0a83a;--failed:#ff6b70;--alarm:#2a151a}}",
  "*{box-sizing:border-box}",
  "body{margin:0;overflow-wrap:anywhere;background:var(--ground);color:var(--text);font:15px/1.55 system-ui,-apple-system,\"Segoe UI\",Roboto,\"Noto Sans\",sans-serif}",
  "main{max-width:1120px;margin:0 auto;padding:40px 24px 56px}",
  "h1{font-size:26px;line-height:1.25;margin:10px 0 4px}",
  "h2{font-size:17px;margin:0 0 14px}",
  "section{background:var(--card);border:1px solid var(--line);border-radius:12px;padding:20px 22px;margin:18px 0}",
  "p{margin:0 0 10px}.soft,.waiting{color:var(--soft)}",
  ".pill{display:inline-block;border:1.5px solid;border-radius:99px;padding:1px 12px 2px;font-size:13px;font-weight:600}",
  ".running{color:var(--running)}.succeeded{color:var(--succeeded)}.partial{color:var(--partial)}.failed{color:var(--failed)}",
  ".facts{display:grid;grid-template-columns:repeat(auto-fill,minmax(150px,1fr));gap:16px 24px;margin:22px 0 0}",
  ".facts .wide{grid-column:span 2}.facts dt{color:var(--soft);font-size:13px}.facts dd{margin:0;font-size:17px;line-height:1.35;font-weight:600;font-variant-numeric:tabular-nums}",
  ".alarm{background:var(--alarm);border-color:var(--failed)}.alarm h2{color:var(--failed)}.alarm li{white-space:pre-wrap}.alarm ul{margin:0;padding-left:20px}section>:last-child,.text>:last-child{margin-bottom:0}",
  ".scroll{overflow:auto;max-height:76vh}.scroll svg{display:block;margin:0 auto}.scroll .canvas-runs .ground{fill:none}",
  "table{width:100%;border-collapse:collapse;font-variant-numeric:tabular-nums}",
  "th{text-align:left;font-size:13px;font-weight:500;color:var(--soft)}",
  "th,td{padding:6px 14px 6px 0;border-bottom:1px solid var(--line)}tr:last-child td{border-bottom:0}",
  "th,.type,.state,.number{overflow-wrap:normal;white-space:nowrap}th:last-child,td:last-child{padding-right:0}.number{text-align:right}.state{font-size:13px;font-weight:600}",
  ".time{width:36%;min-width:120px}.bar{display:block;border-radius:4px}.bar rect{fill:currentColor}.bar .track{fill:var(--code)}",
  "pre,code{font:13px/1.5 ui-monospace,SFMono-Regular,Menlo,Consolas,\"Liberation Mono\",monospace;background:var(--code);border-radius:6px}",
  "pre{padding:12px 14px;margin:0 0 12px;white-space:pre-wrap}code{padding:1px 5px}pre code{padding:0}",
  "h3,h4{margin:20px 0 6px;font-size:16px}.text>:first-child{margin-top:0}.text table{margin:0 0 12px}ul,ol{margin:0 0 10px;padding-left:24px}",
  "details{margin:2px 0}summary{cursor:pointer}.tree ul{list-style:none;margin:0;padding-left:22px}.tree>ul{padding:0}.tree li{padding:2px 0}",
  "summary:focus-visible,a:focus-visible,.scroll:focus-visible{outline:2px solid var(--running);outline-offset:2px}",
  "a{color:var(--running)}footer{color:var(--soft);font-size:13px}",
  "@media(max-width:640px){main{padding:22px 12px}section{padding:16px 14px}.time,.type{display:none}h1{font-size:22px}}",
  "@media print{:root{--ground:#fff}main{max-width:none;padding:0}section{break-inside:avoid-page;border-color:#bbb}" +
  ".scroll{max-height:none;overflow:visible}.scroll svg{max-width:100%;height:auto}.long{break-inside:auto}details::details-content{content-visibility:visible;block-size:auto}}"
].join("")

/** The style of every page. It is constant, so that the page can allow it by its hash, and nothing else. */
export const style = rules + styles.auto

/** The hash of {@link style}. A test compares them. */
export const styleHash = "sha256-f5yCCpwUzt3v4+BIqm5O8lSS0cAqC4nxDwP5n9mDuDw="

export const page = ({ body, title }: Page): string =>
  [
    "<!doctype html>",
    "<html lang=\"en\">",
    "<head>",
    "<meta charset=\"utf-8\">",
    `<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src '${styleHash}'; base-uri 'none'; form-action 'none'">`,
    "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">",
    "<meta name=\"referrer\" content=\"no-referrer\">",
    "<meta name=\"generator\" content=\"canvas-runs\">",
    `<title>${escape(title)}</title>`,
    `<style>${style}</style>`,
    "</head>",
    "<body>",
    "<main>",
    body,
    "</main>",
    "</body>",
    "</html>",
    ""
  ].join("\n")

/** The length of a text as UTF-8. */
export const bytesOf = (text: string): number => new TextEncoder().encode(text).length

/** The first items that fit into `bytes`, and a line about the rest. Items beyond that are not made. */
export const within = <A>(
  items: ReadonlyArray<A>,
  make: (item: A) => string,
  bytes: number,
  rest: (left: number) => string
): string => {
  const kept: Array<string> = []
  let used = 0
  for (const item of items) {
    const html = make(item)
    used += bytesOf(html) + 1
    if (used > bytes) {
      kept.push(rest(items.length - kept.length))
      break
    }
    kept.push(html)
  }
  return kept.join("\n")
}
