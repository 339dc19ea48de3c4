/** Why: a guide stays true when its commands are run and what it shows is held against what they print. */

export type GuideBlock = {
  /** Of the first command, in the guide. */
  readonly line: number;
  readonly script: string;
  readonly needsControlPlane: boolean;
  readonly exitCode: number;
  /** What the guide shows of the output, below the commands. */
  readonly shown: readonly string[];
};

type Fence = { readonly mark: string; readonly line: number; readonly text: readonly string[] };
type Section = { readonly level: number; readonly needsControlPlane: boolean };

const KINDS = ['sh', 'sh exits-1', 'text', 'json'];
const CONTROL_PLANE = 'With a control plane';

/**
 * The shell blocks of a guide in their order, each with the `text` block that follows it.
 * @throws Error naming the line of a block of another kind, of output without commands, and of a block that does not end
 */
export function guideBlocks(guide: string): readonly GuideBlock[] {
  const blocks: GuideBlock[] = [];
  const lines = guide.split('\n');
  let section: Section = { level: 0, needsControlPlane: false };
  for (let index = 0; index < lines.length; index += 1) {
    const line = lines[index] ?? '';
    section = sectionAfter(section, line);
    if (!line.startsWith('```')) continue;
    const fence = readFence(lines, index);
    if (fence.mark.startsWith('sh')) blocks.push(shellBlock(fence, section));
    if (fence.mark === 'text') addOutput(blocks, lines, fence);
    index += fence.text.length + 1;
  }
  return blocks;
}

/** A heading that says so holds for what is below it, up to the next one of its level. */
function sectionAfter(section: Section, line: string): Section {
  const [, marks = ''] = /^(#+) /.exec(line) ?? [];
  if (marks === '' || (section.needsControlPlane && marks.length > section.level)) return section;
  return { level: marks.length, needsControlPlane: line.slice(marks.length + 1).startsWith(CONTROL_PLANE) };
}

function readFence(lines: readonly string[], start: number): Fence {
  const mark = (lines[start] ?? '').slice('```'.length);
  if (!KINDS.includes(mark)) throw new Error(`line ${start + 1}: a block is one of ${KINDS.join(', ')}, not "${mark}"`);
  const end = lines.indexOf('```', start + 1);
  if (end === -1) throw new Error(`line ${start + 1}: the block does not end`);
  return { mark, line: start + 1, text: lines.slice(start + 1, end) };
}

function shellBlock({ mark, line, text }: Fence, { needsControlPlane }: Section): GuideBlock {
  return {
    line: line + 1,
    script: text.join('\n'),
    needsControlPlane,
    exitCode: mark === 'sh exits-1' ? 1 : 0,
    shown: [],
  };
}

function addOutput(blocks: GuideBlock[], lines: readonly string[], { line, text }: Fence): void {
  const block = blocks.pop();
  // The fence that ends the commands, an empty line, the fence that begins the output.
  if (block === undefined || lines[line - 2] !== '' || lines[line - 3] !== '```' || block.shown.length > 0)
    throw new Error(`line ${line}: output is shown that no commands right above it print`);
  blocks.push({ ...block, shown: text });
}

/** The first shown line that the output does not have after those before it; undefined when all are there. */
export function missingLine(shown: readonly string[], output: string): string | undefined {
  const printed = output.split('\n').map(withSingleSpaces);
  let from = 0;
  for (const line of shown) {
    const wanted = patternOf(line);
    const found = printed.findIndex((text, index) => index >= from && wanted.test(text));
    if (found === -1) return line;
    from = found + 1;
  }
  return undefined;
}

const withSingleSpaces = (text: string): string => text.trim().replaceAll(/\s+/g, ' ');

/** `…` stands for any text; columns may be set otherwise. */
function patternOf(line: string): RegExp {
  const parts = withSingleSpaces(line).split('…');
  return new RegExp(`^${parts.map((part) => part.replaceAll(/[$()*+.?[\\\]^{|}]/g, String.raw`\$&`)).join('.*')}$`);
}
