/** Why: a checkpoint that only we can check is no evidence; here Go's own libraries check one of ours. */
import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { LEDGER_ORIGIN, hashLeaf, signCheckpoint, verifierKeyText } from '@fleetloop/control-plane';
import { generateSigningKey } from '@fleetloop/schemas/crypto';
import { describe, expect, it } from 'vitest';

const signer = { name: LEDGER_ORIGIN, ...generateSigningKey() };
const runFile = promisify(execFile);
const GO_VERIFIER = `package main

import (
	"fmt"
	"os"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

func main() {
	text, err := os.ReadFile(os.Args[2])
	if err != nil {
		panic(err)
	}
	verifier, err := note.NewVerifier(os.Args[1])
	if err != nil {
		panic(err)
	}
	opened, err := note.Open(text, note.VerifierList(verifier))
	if err != nil {
		panic(err)
	}
	var origin, root string
	var size int64
	fmt.Sscanf(opened.Text, "%s\\n%d\\n%s\\n", &origin, &size, &root)
	var hash tlog.Hash
	if hash, err = tlog.ParseHash(root); err != nil {
		panic(err)
	}
	fmt.Print(size, " ", hash)
}
`;

describe('the checkpoint', () => {
  it('is verified by Go’s sumdb/note and sumdb/tlog', { timeout: 180_000 }, async (context) => {
    const hasGo = await runFile('go', ['version']).then(
      () => true,
      () => false,
    );
    context.skip(!hasGo, 'Go is not on this machine: the check by another implementation is left out');
    const folder = await mkdtemp(join(tmpdir(), 'fleetloop-go-'));
    try {
      await writeFile(join(folder, 'main.go'), GO_VERIFIER);
      await writeFile(join(folder, 'go.mod'), 'module verify\n\ngo 1.22\n\nrequire golang.org/x/mod v0.20.0\n');
      const checkpoint = signCheckpoint({ size: 58, root: hashLeaf(Buffer.from('an entry')) }, signer);
      await writeFile(join(folder, 'note'), checkpoint);
      const fetched = await runFile('go', ['mod', 'tidy'], { cwd: folder }).then(
        () => true,
        () => false,
      );
      context.skip(
        !fetched,
        'golang.org/x/mod cannot be fetched here: the check by another implementation is left out',
      );
      const { stdout } = await runFile('go', ['run', '.', verifierKeyText(signer), join(folder, 'note')], {
        cwd: folder,
      });
      const [, size, root] = checkpoint.split('\n');
      expect(stdout).toBe(`${size} ${root}`);
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  });
});
