/** Certificates for tests, made by openssl: an authority, a server for 127.0.0.1, a client. */

export interface Certificates {
  readonly ca: string;
  readonly serverCert: string;
  readonly serverKey: string;
  readonly clientCert: string;
  readonly clientKey: string;
  /** Another authority, which signed nothing of these. */
  readonly otherCa: string;
}

/** Writes them as PEM files into `dir`. Elliptic keys: RSA ones take seconds. */
export async function makeCertificates(dir: string): Promise<Certificates> {
  const file = (name: string) => `${dir}/${name}.pem`;
  await authority(file("ca"), file("ca-key"), "test authority");
  await authority(file("other-ca"), file("other-ca-key"), "another authority");
  const extensions = `${dir}/extensions.cnf`;
  await Deno.writeTextFile(
    extensions,
    "subjectAltName=IP:127.0.0.1,DNS:localhost\nextendedKeyUsage=serverAuth,clientAuth\n",
  );
  for (const name of ["server", "client"]) {
    const request = `${dir}/${name}.csr`;
    await openssl(
      ...["req", "-new", "-nodes", ...KEY, "-subj", `/CN=${name}`],
      ...["-keyout", file(`${name}-key`), "-out", request],
    );
    await openssl(
      ...["x509", "-req", "-in", request, "-days", "2", "-extfile", extensions],
      ...["-CA", file("ca"), "-CAkey", file("ca-key"), "-CAcreateserial", "-out", file(name)],
    );
  }
  return {
    ca: file("ca"),
    serverCert: file("server"),
    serverKey: file("server-key"),
    clientCert: file("client"),
    clientKey: file("client-key"),
    otherCa: file("other-ca"),
  };
}

const KEY = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"];

function authority(cert: string, key: string, name: string): Promise<void> {
  return openssl(
    ...["req", "-x509", "-nodes", ...KEY, "-days", "2", "-subj", `/CN=${name}`],
    ...["-keyout", key, "-out", cert],
  );
}

async function openssl(...args: string[]): Promise<void> {
  const command = new Deno.Command("openssl", { args, stdin: "null", stdout: "piped" });
  const { success, stderr } = await command.output();
  if (!success) throw new Error(`openssl ${args[0]}: ${new TextDecoder().decode(stderr)}`);
}
