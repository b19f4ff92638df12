/** Steps of an installation: shown, and taken where something is to be done. Knows nothing of what is installed. */
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { errnoOf, OwnerError } from '../base/errors.ts'
import { runTool } from './systemd.ts'
import type { Terminal } from './terminal.ts'

/** One thing to be done. Files that are as they should be are left alone, so that a second run changes nothing. */
export type Step =
  | { readonly kind: 'folder'; readonly path: string; readonly mode: number }
  | { readonly kind: 'file'; readonly path: string; readonly text: string }
  | { readonly kind: 'remove'; readonly path: string }
  | { readonly kind: 'run'; readonly words: readonly string[] }

const fileMode = 0o644
const folderMode = 0o755

interface StepOptions {
  readonly root: string
  /** Shows everything and does nothing. */
  readonly isDry: boolean
}

/** @param root a folder that stands for `/`; `''` for this machine. */
export function takeSteps(steps: readonly Step[], terminal: Terminal, { root, isDry }: StepOptions): void {
  for (const step of steps.map((each) => below(each, root))) {
    const isNeeded = isToDo(step)
    terminal.print(stepLine(step, isNeeded))
    if (isDry) {
      if (step.kind === 'file' && isNeeded) terminal.print(step.text.replace(/^/gm, '    ').trimEnd())
    } else if (isNeeded) takeStep(step)
  }
}

function isToDo(step: Step): boolean {
  switch (step.kind) {
    case 'folder':
      return !existsSync(step.path)
    case 'file':
      return textAt(step.path) !== step.text
    case 'remove':
      return existsSync(step.path)
    case 'run':
      return true
  }
}

function stepLine(step: Step, isNeeded: boolean): string {
  if (step.kind === 'run') return `run     ${step.words.join(' ')}`
  if (!isNeeded) return `${step.kind === 'remove' ? 'absent ' : 'ready  '} ${step.path}`
  return `${step.kind === 'remove' ? 'remove ' : 'write  '} ${step.path}`
}

function takeStep(step: Step): void {
  try {
    switch (step.kind) {
      case 'folder':
        mkdirSync(step.path, { recursive: true })
        chmodSync(step.path, step.mode)
        return
      case 'file':
        writeWhole(step.path, step.text)
        return
      case 'remove':
        rmSync(step.path)
        removeIfEmpty(dirname(step.path))
        return
      case 'run':
        runStep(step.words)
        return
    }
  } catch (thrown) {
    if (errnoOf(thrown) !== 'EACCES' && errnoOf(thrown) !== 'EPERM') throw thrown
    throw new OwnerError('the system service needs the administrator: use sudo, or --user for a service of your own', {
      cause: thrown,
    })
  }
}

/** A reader finds the old file or the new one, never half of it. */
function writeWhole(path: string, text: string): void {
  mkdirSync(dirname(path), { recursive: true, mode: folderMode })
  const made = join(dirname(path), `.${process.pid}.fanfold-new`)
  writeFileSync(made, text)
  // Not by the mode above, which umask narrows: the service's user has to read it.
  chmodSync(made, fileMode)
  renameSync(made, path)
}

/** The folder of drop-ins goes with the last of them; others are the owner's. */
function removeIfEmpty(folder: string): void {
  if (folder.endsWith('.service.d') && readdirSync(folder).length === 0) rmdirSync(folder)
}

function runStep(words: readonly string[]): void {
  const { code, text } = runTool(words)
  if (code === 0) return
  const what = code === undefined ? 'could not be run' : `ended with ${code}`
  throw new OwnerError(`"${words.join(' ')}" ${what}: ${text.trim() || 'is it installed?'}`)
}

function textAt(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    // Absent or unreadable: to be written, and that fails with the reason.
    return undefined
  }
}

function below(step: Step, root: string): Step {
  return step.kind === 'run' ? step : { ...step, path: join(root, step.path) }
}
