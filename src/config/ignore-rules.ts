/** The gitignore rules that hold for every source unless it switches them off: files that are no work of their owner. */

export const builtInIgnore: readonly string[] = [
  // Half-done downloads and copies: their real name appears when they are complete (F22).
  '*.part',
  '*.partial',
  '*.filepart',
  '*.crdownload',
  '*.download',
  '*.tmp',
  // Locks and side files of office programs and editors (F28).
  '~$*',
  '.~lock.*#',
  '.#*',
  '*.swp',
  '*.swx',
  '4913',
  '*.osl-tmp',
  '.goutputstream-*',
  // Droppings of desktops and file systems.
  '.DS_Store',
  'Thumbs.db',
  '.nfs*',
  '.fuse_hidden*',
]
