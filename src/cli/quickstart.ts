/** `fanfold quickstart`: a sample inbox, four directory targets and the daemon in this process, to see it work before anything is set up. */
import { accessSync, constants } from 'node:fs'
import { copyFile, mkdir } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { systemClock } from '../base/clock.ts'
import type { PageAccess } from '../control/control.ts'
import { StatusDisplay } from './display.ts'
import type { ExitCode } from './exit-code.ts'
import { linkOf } from './page.ts'
import { serve } from './run.ts'
import { makeSample } from './sample.ts'
import { systemTerminal } from './terminal.ts'

/** The package's own folder: two above the built file of this module. */
const packageRoot = fileURLToPath(new URL('../../', import.meta.url))
const sampleConfig = join('config', 'quickstart.yaml')

export interface QuickstartFlags {
  readonly folder?: string
}

export async function quickstart(flags: QuickstartFlags): Promise<ExitCode> {
  const base = flags.folder ?? quickstartBase(packageRoot, process.cwd())
  const file = await placeConfig(base)
  const { readConfig } = await import('../config/config.ts')
  const config = readConfig(file)
  const inbox = config.sources[0]?.path ?? join(base, 'quickstart', 'inbox')
  const terminal = systemTerminal()
  terminal.remark(`fanfold: sample files in ${inbox}`)
  await mkdir(config.state, { recursive: true })
  const folders = config.targets.flatMap((target) => (target.kind === 'directory' ? [target.path] : []))
  for (const folder of folders) await mkdir(folder, { recursive: true })
  await makeSample(inbox)

  const words = [`drop a file here: ${inbox}`, `copies appear below: ${dirname(folders[0] ?? base)}`, 'Ctrl-C ends']
  if (!terminal.isLive) for (const line of words) terminal.print(line)
  const display = new StatusDisplay(terminal, systemClock, {
    head: ['Fanfold quickstart'],
    foot: words,
    onlyChanges: true,
  })
  const onPage = (access: PageAccess): void => {
    const link = linkOf(access)
    display.above(link === null ? `fanfold: no page: ${access.reason ?? ''}\n` : `status page: ${link}\n`)
  }
  return serve(config, terminal, { display, onPage })
}

/** Where the quickstart lives: in the package where that can be written, else (installed for all) in a folder of its own here. */
export function quickstartBase(root: string, here: string): string {
  try {
    accessSync(root, constants.W_OK)
    return root
  } catch {
    return join(here, 'fanfold-quickstart')
  }
}

/** The configuration's paths are relative to it, so in another place it stands at the same depth. */
async function placeConfig(base: string): Promise<string> {
  const original = join(packageRoot, sampleConfig)
  const file = join(base, sampleConfig)
  if (file === original) return file
  await mkdir(dirname(file), { recursive: true })
  await copyFile(original, file)
  return file
}
