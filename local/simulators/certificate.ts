/** Issues a TLS certificate for this machine. */
import { KeyObject, webcrypto } from 'node:crypto';

/** A certificate for this machine, its key, and the certificate that verifies it, all in PEM. */
export interface LocalCertificate {
  /** The authority's certificate: what a client trusts (`NODE_EXTRA_CA_CERTS`, or `ca` of a TLS option). */
  readonly ca: string;
  /** The server's certificate, for `localhost` and `127.0.0.1`. */
  readonly cert: string;
  /** The server's private key, PKCS #8. */
  readonly key: string;
}

const ECDSA_P256 = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
const VALID_DAYS = 3650;
const DAY_MS = 86_400_000;

/**
 * Issues a certificate for `localhost` and `127.0.0.1` from an authority of its own, valid for ten years from now.
 * The authority's private key is dropped, so that trusting the authority trusts this one certificate only.
 */
export async function issueLocalCertificate(): Promise<LocalCertificate> {
  const x509 = await loadX509();
  const nowMs = Date.now();
  const validity = {
    notBefore: new Date(nowMs - DAY_MS),
    notAfter: new Date(nowMs + VALID_DAYS * DAY_MS),
  };
  const authorityKeys = await webcrypto.subtle.generateKey(ECDSA_P256, false, ['sign', 'verify']);
  const authority = await x509.X509CertificateGenerator.createSelfSigned({
    ...validity,
    name: 'CN=Todoke local mode',
    keys: authorityKeys,
    signingAlgorithm: ECDSA_P256,
    extensions: [
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign, true),
      await x509.SubjectKeyIdentifierExtension.create(authorityKeys.publicKey),
    ],
  });
  const serverKeys = await webcrypto.subtle.generateKey(ECDSA_P256, true, ['sign', 'verify']);
  const server = await x509.X509CertificateGenerator.create({
    ...validity,
    subject: 'CN=localhost',
    issuer: authority.subject,
    publicKey: serverKeys.publicKey,
    signingKey: authorityKeys.privateKey,
    signingAlgorithm: ECDSA_P256,
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth]),
      new x509.SubjectAlternativeNameExtension([
        { type: 'dns', value: 'localhost' },
        { type: 'ip', value: '127.0.0.1' },
      ]),
      await x509.AuthorityKeyIdentifierExtension.create(authorityKeys.publicKey),
    ],
  });
  return {
    ca: authority.toString('pem'),
    cert: server.toString('pem'),
    key: KeyObject.from(serverKeys.privateKey).export({ type: 'pkcs8', format: 'pem' }).toString(),
  };
}

/**
 * @peculiar/x509 refuses to load without the metadata API of the reflect-metadata package, for its dependency
 * injection. It only asks which constructor parameters to inject. Its classes have none, so "no metadata" is enough.
 */
async function loadX509() {
  if (!('getMetadata' in Reflect)) {
    Object.assign(Reflect, { getMetadata: () => undefined, getOwnMetadata: () => undefined });
  }
  return import('@peculiar/x509');
}
