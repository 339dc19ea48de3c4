/** Why: evidence that only we can check is none; here Go's own libraries check checkpoints, proofs, a rotation and an export of ours. */
import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import {
  Checkpointer,
  FolderCheckpointKeys,
  FolderCheckpoints,
  LEDGER_ORIGIN,
  rotateKey,
  verifierKeyText,
  writeExport,
} from '@fleetloop/control-plane';
import { generateSigningKey } from '@fleetloop/schemas/crypto';
import { describe, expect, it } from 'vitest';
import { collect, enrolled, startLedgerServer } from './ledger-server.ts';

const signer = { name: LEDGER_ORIGIN, ...generateSigningKey() };
const runFile = promisify(execFile);
/** Reads the export by its description alone; hashes, trees, proofs and signatures are all Go's. */
const GO_VERIFIER = `package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

type question struct {
	Keys        []string
	Rotation    string
	Index       int64
	Inclusion   []tlog.Hash
	FormerSize  int64
	Consistency []tlog.Hash
}

func must(err error, what string) {
	if err != nil {
		panic(what + ": " + err.Error())
	}
}

func verifiers(keys []string) note.Verifiers {
	var list []note.Verifier
	for _, key := range keys {
		verifier, err := note.NewVerifier(key)
		must(err, "key")
		list = append(list, verifier)
	}
	return note.VerifierList(list...)
}

func main() {
	var asked question
	text, err := os.ReadFile(os.Args[1])
	must(err, "question")
	must(json.Unmarshal(text, &asked), "question")
	file, err := os.Open(os.Args[2])
	must(err, "export")
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 1<<20)
	next := func() string {
		if !lines.Scan() {
			panic("the export is cut off")
		}
		return lines.Text()
	}
	var header struct{ Entries, Checkpoints int64 }
	must(json.Unmarshal([]byte(next()), &header), "header")
	roots := map[int64]tlog.Hash{}
	for i := int64(0); i < header.Checkpoints; i++ {
		var signed string
		must(json.Unmarshal([]byte(next()), &signed), "checkpoint")
		opened, err := note.Open([]byte(signed), verifiers(asked.Keys))
		must(err, "checkpoint")
		var origin, root string
		var size int64
		fmt.Sscanf(opened.Text, "%s\\n%d\\n%s\\n", &origin, &size, &root)
		hash, err := tlog.ParseHash(root)
		must(err, "root")
		roots[size] = hash
	}
	var leaves []string
	for i := int64(0); i < header.Entries; i++ {
		leaves = append(leaves, next())
	}
	var stored []tlog.Hash
	reader := tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) {
		var hashes []tlog.Hash
		for _, index := range indexes {
			hashes = append(hashes, stored[index])
		}
		return hashes, nil
	})
	checked := 0
	for i := int64(0); i < header.Entries; i++ {
		entry := []byte(next())
		if leaf := tlog.RecordHash(entry); fmt.Sprintf("%x", leaf[:]) != leaves[i] {
			panic("a leaf hash is not that of its entry")
		}
		hashes, err := tlog.StoredHashes(i, entry, reader)
		must(err, "tree")
		stored = append(stored, hashes...)
		if root, ok := roots[i+1]; ok {
			found, err := tlog.TreeHash(i+1, reader)
			must(err, "root")
			if found != root {
				panic("a checkpoint states another root")
			}
			checked++
		}
		if i == asked.Index {
			must(tlog.CheckRecord(asked.Inclusion, header.Entries, roots[header.Entries], i, tlog.RecordHash(entry)), "inclusion")
		}
	}
	must(tlog.CheckTree(asked.Consistency, header.Entries, roots[header.Entries], asked.FormerSize, roots[asked.FormerSize]), "consistency")
	for _, key := range asked.Keys {
		_, err := note.Open([]byte(asked.Rotation), verifiers([]string{key}))
		must(err, "rotation")
	}
	if !strings.Contains(next(), "end") {
		panic("the export has no end")
	}
	fmt.Print(checked, " ", header.Entries)
}
`;

describe('the ledger', () => {
  it('is verified by Go’s sumdb/note and sumdb/tlog: export, checkpoints, proofs and rotation', {
    timeout: 180_000,
  }, async (context) => {
    const hasGo = await runFile('go', ['version']).then(
      () => true,
      () => false,
    );
    context.skip(!hasGo, 'Go is not on this machine: the check by another implementation is left out');
    const folder = await mkdtemp(join(tmpdir(), 'fleetloop-go-'));
    try {
      await writeFile(join(folder, 'main.go'), GO_VERIFIER);
      await writeFile(join(folder, 'go.mod'), 'module verify\n\ngo 1.22\n\nrequire golang.org/x/mod v0.20.0\n');
      const fetched = await runFile('go', ['mod', 'tidy'], { cwd: folder }).then(
        () => true,
        () => false,
      );
      context.skip(
        !fetched,
        'golang.org/x/mod cannot be fetched here: the check by another implementation is left out',
      );
      const { checkpoints, entries } = await writeEvidence(folder);
      const { stdout } = await runFile('go', ['run', '.', 'question.json', 'ledger.export'], { cwd: folder });
      expect(stdout).toBe(`${checkpoints} ${entries}`);
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  });
});

/** A ledger of 301 entries with a rotation in it: more than one tile of the tree, and ragged. */
async function writeEvidence(folder: string): Promise<{ readonly checkpoints: number; readonly entries: number }> {
  await using resources = new AsyncDisposableStack();
  const server = resources.use(await startLedgerServer());
  const ledger = await server.openLedger();
  const store = resources.use(await FolderCheckpoints.open(join(server.root, 'checkpoints')));
  const keys = await FolderCheckpointKeys.open(join(server.root, 'keys'), signer);
  const checkpoints = resources.use(await Checkpointer.start({ ledger, store, signer, keys, entriesMax: 50 }));
  await ledger.append(Array.from({ length: 140 }, (_, index) => enrolled(`v-${index}`, 'Jyväskylä \u{1f697}')));
  const { sequence } = await rotateKey(
    { ledger, checkpoints, checkpointKeys: keys },
    { actor: 'anna', reason: 'test' },
  );
  await ledger.append(Array.from({ length: 160 }, (_, index) => enrolled(`w-${index}`)));
  await checkpoints.signNow();
  const size = await ledger.size();
  const notes = await checkpoints.history(1_000);
  const [rotation] = await collect(ledger.read({ fromSequence: sequence, toSequence: sequence }));
  const [index, formerSize] = [17, Number(notes[0]?.split('\n')[1])];
  const base64 = (hashes: readonly Uint8Array[]): string[] =>
    hashes.map((hash) => Buffer.from(hash).toString('base64'));
  const question = {
    Keys: [verifierKeyText(signer), checkpoints.verifierKey],
    Rotation: rotation?.entry.kind === 'checkpoint.key_rotated' ? rotation.entry.body.note : '',
    Index: index,
    Inclusion: base64(await checkpoints.inclusion(index, size)),
    FormerSize: formerSize,
    Consistency: base64(await checkpoints.consistency(formerSize, size)),
  };
  await writeFile(join(folder, 'question.json'), JSON.stringify(question));
  const leaves = checkpoints.leaves(0, size);
  const source = {
    key: checkpoints.verifierKey,
    checkpoints: notes,
    size,
    leaves,
    entries: ledger.read({ fromSequence: 1 }),
  };
  await writeFile(join(folder, 'ledger.export'), Buffer.concat(await collect(writeExport(source))));
  return { checkpoints: notes.length, entries: size };
}
