/** The advice of the library's messages, in words of the shell. */

/** Replaces what a program would do by the command or the flag for it. */
export const advised = (message: string): string =>
  advice.reduce((text, [words, ofShell]) => text.replace(words, ofShell), message)

const advice: ReadonlyArray<readonly [words: string | RegExp, ofShell: string]> = [
  [/^RunStore\.(?:runOnce|track|complete|attach|reconcile): /, "The store: "],
  [/wait again with (?:the same handle, or with )?this error's ref/, "wait again"],
  ["or raise that option", "or give a longer --timeout"],
  [" The provider's response is in this error's run.", ""],
  [/\b(?:timeout|pollingTimeout) (\([^)]*\)) has passed/, "--timeout $1 has passed"],
  [
    /(?:Let reconcile\(key, lookup\) find the run, or look|Look) for it at the provider, then attach\(key, ref\), or create another one with \{ onUnknown: "retry" \}, or forget\(key\)\./,
    "Use \"canvas-runs reconcile KEY\", or look for it at the provider: then \"canvas-runs attach KEY REF\", or " +
    "\"canvas-runs forget KEY\" before you create another."
  ],
  [
    "Keep this error's ref, and attach it when the store works again.",
    "Use \"canvas-runs attach KEY REF\" when the store works again."
  ],
  ["Keep this error's ref, and decide which run is to be followed.", "Decide which run is to be followed."],
  [
    "Decide which run is to be followed, and attach it.",
    "Decide which run is to be followed: \"canvas-runs attach KEY REF\"."
  ],
  ["Attach one, retry, or forget it.", "Use \"canvas-runs reconcile KEY\"."],
  ["or create the run with runOnce.", "or create the run with \"canvas-runs run --key KEY\"."],
  ["Forget it first.", "Use \"canvas-runs forget KEY\" first."],
  [
    "The output is kept in this error; correct the schema or the canvas, or set skipResultValidation.",
    "Correct the schema or the canvas, or leave out --schema."
  ],
  [", which this error's received holds", ""],
  [", which this error's received has", ""],
  [", in this error's errors", ""],
  ["give the right name or contentType, or set the client's option skipFileValidation", "or give it the right name"],
  [", or raise the client's option uploadIdleTimeout", ""],
  [/(?:, which is| \() ?uploadIdleTimeout\)?/g, ""],
  [", which is the client's maxResponseBytes and can be raised", ""],
  [", which is the client's maxResponseBytes. Raise it if such answers are right.", ". Check the base URL."],
  [
    /([Gg])ive it a longer timeout\./,
    "$1ive --sync or --stream a longer --timeout. Other requests have a minute: check the network."
  ],
  [
    /Your dispatcher has this limit, 300 s by default\. Set its headersTimeout .* with async: true/,
    "Node ends a request after 300 s without data. Leave out --sync"
  ],
  ["connect: { ca } of NodeHttp.layer, or NODE_EXTRA_CA_CERTS for fetch", "NODE_EXTRA_CA_CERTS=FILE"],
  ["give connect: { ca, servername } to NodeHttp.layer, or renew it for this host", "renew it for this host"],
  ["in the option proxy of NodeHttp.layer, or HTTPS_PROXY", "in HTTPS_PROXY"],
  [
    ". Use fetch, or NodeHttp.layer of canvas-runs/node.",
    ". Check the base URL, and whether a proxy changes the response."
  ],
  ["give another filename or directory", "give another directory"],
  ["Give another filename or directory", "Give another directory"],
  ["Give a shorter filename or directory", "Give a shorter directory"]
]
