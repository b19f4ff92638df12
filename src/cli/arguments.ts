/** The command's words as they were typed: a path may hold bytes that are no UTF-8, which Node's own list has already lost. */
import { readFileSync } from 'node:fs'
import { decodeName } from '../base/path.ts'

/** What Node puts in place of bytes it could not read. */
const lost = '\ufffd'

export function typedWords(words = process.argv.slice(2), commandLineFile = '/proc/self/cmdline'): string[] {
  if (!words.some((word) => word.includes(lost))) return words
  try {
    const bytes = readFileSync(commandLineFile)
    const all = splitAtZero(bytes).map(decodeName)
    return all.slice(all.length - words.length)
  } catch {
    // Without /proc the words stay as Node read them; the path is then reported as unknown.
    return words
  }
}

function splitAtZero(bytes: Buffer): Buffer[] {
  const words: Buffer[] = []
  for (let start = 0, end = bytes.indexOf(0); end >= 0; start = end + 1, end = bytes.indexOf(0, start))
    words.push(bytes.subarray(start, end))
  return words
}
