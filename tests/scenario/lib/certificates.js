'use strict';
/* Certificates for tests, made by openssl: a CA, servers, clients. Each is PEM text. */

const { execFileSync } = require('node:child_process');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');

/* NAMES: a subjectAltName, or none for a client. DAYS less than 0: it has expired. */
function makeAll(list) {
	const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'wsgate-pki-'));
	const openssl = (...args) => execFileSync('openssl', args, { cwd: dir, stdio: ['ignore', 'pipe', 'pipe'] });
	const read = (name) => fs.readFileSync(path.join(dir, name), 'utf8');
	const made = {};
	try {
		for (const { name, subject = `/CN=${name}`, names, issuer, rsa, days = 90 } of list) {
			const kind = rsa ? ['-newkey', 'rsa:2048'] : ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256'];
			openssl('req', '-new', '-utf8', '-nodes', '-subj', subject, ...kind, '-keyout', `${name}.key`, '-out', `${name}.csr`);
			const extensions = issuer ? 'basicConstraints=CA:FALSE\n' : 'basicConstraints=critical,CA:TRUE\n';
			fs.writeFileSync(path.join(dir, 'ext'), extensions + (names ? `subjectAltName=${names}\n` : ''));
			const by = issuer ? ['-CA', `${issuer}.pem`, '-CAkey', `${issuer}.key`, '-CAcreateserial'] : ['-signkey', `${name}.key`];
			openssl('x509', '-req', '-in', `${name}.csr`, '-days', String(days), '-extfile', 'ext', ...by, '-out', `${name}.pem`);
			made[name] = { cert: read(`${name}.pem`), key: read(`${name}.key`) };
		}
	} finally {
		fs.rmSync(dir, { recursive: true, force: true });
	}
	return made;
}

module.exports = { makeAll };
