/** Checks the options of connections. Node accepts mistakes in them silently, and fails only at the first request. */
import * as Result from "effect/Result"
import { Buffer } from "node:buffer"
import { X509Certificate } from "node:crypto"
import { createSecureContext, type SecureContextOptions } from "node:tls"
import { messageOf, quote } from "../../internal/describe.ts"
import { type Fault, nearest } from "../../internal/options.ts"

/** The options that undici, `net.connect`, `tls.connect` and `tls.createSecureContext` document. */
const names: ReadonlyArray<string> = (
  "allowH2 maxCachedSessions socketPath timeout typeOfService keepAlive keepAliveInitialDelay noDelay host port localAddress " +
  "localPort family hints lookup autoSelectFamily autoSelectFamilyAttemptTimeout blockList signal onread fd readable writable " +
  "allowHalfOpen highWaterMark path socket servername session rejectUnauthorized checkServerIdentity minDHSize pskCallback " +
  "secureContext ALPNProtocols ALPNCallback SNICallback requestCert requestOCSP enableTrace isServer server ca cert key " +
  "passphrase pfx crl ciphers sigalgs minVersion maxVersion secureProtocol secureOptions honorCipherOrder ecdhCurve dhparam " +
  "clientCertEngine privateKeyEngine privateKeyIdentifier allowPartialTrustChain sessionIdContext sessionTimeout ticketKeys " +
  "certificateCompression"
).split(" ")

/**
 * Returns the first fault in the options of connections, or `undefined`. A name that is not documented is passed on, because Node
 * may be newer, unless it resembles a documented name.
 */
export const faultOf = (connect: object): Fault | undefined => {
  for (const [name, value] of Object.entries(connect)) {
    const near = value === undefined || names.includes(name) ? undefined : nearest(name, names)
    if (near !== undefined) {
      return {
        option: `connect.${name}`,
        message: `${quote(name)} is not an option of connections. Did you mean ${near}?`
      }
    }
  }
  const { ca } = connect as SecureContextOptions
  if (ca !== undefined && ca !== null && !isCertificates(ca)) {
    return {
      option: "connect.ca",
      // A text in PEM form may be a private key
      message:
        `connect.ca is ${
          typeof ca === "string" && ca.includes("-----") ? "a text" : quote(ca)
        }, and holds no certificate in PEM form, or a broken one. Give the content of the file, as readFileSync returns it, and not ` +
        "its path."
    }
  }
  return Result.match(Result.try(() => createSecureContext(connect)), {
    onFailure: (error) => ({
      option: "connect",
      message: `connect makes no TLS context (${
        messageOf(error)
      }). Check ca, cert, key, passphrase and what else it says of TLS.`
    }),
    onSuccess: () => undefined
  })
}

/**
 * Whether each part holds certificates that can be read. Node skips a certificate that it cannot read, and then trusts no server.
 */
const isCertificates = (ca: unknown): boolean =>
  Array.isArray(ca)
    ? ca.length > 0 && ca.every(isCertificates)
    : Result.getOrElse(
      Result.try(() => {
        const text = typeof ca === "string" ? ca : Buffer.from(ca as Uint8Array).toString("latin1")
        const certificates = text.split(/(?=-----BEGIN )/).filter((part) => /^-----BEGIN .*CERTIFICATE-----/.test(part))
        return certificates.map((certificate) => new X509Certificate(certificate)).length > 0
      }),
      () => false
    )
