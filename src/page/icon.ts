/** The mark of the page: a sheet that is folded fanwise. */
export const icon = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32">
<path fill="#0f766e" d="M4 7l8-3v18l-8 3z"/>
<path fill="#14b8a6" d="M12 4l8 3v18l-8-3z"/>
<path fill="#0f766e" d="M20 7l8-3v18l-8 3z"/>
</svg>
`
