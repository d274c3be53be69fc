extension Explorer {
    static let style = #"""
        :root { color-scheme: light dark; --ink: #1b2430; --soft: #5b6878; --line: #dfe4ea; --page: #f6f7f9;
          --card: #ffffff; --accent: #0f766e; --good: #15803d; --bad: #b42318; --mark: #eef6f5; }
        @media (prefers-color-scheme: dark) { :root { --ink: #e6eaf0; --soft: #97a3b4; --line: #2b3442; --page: #11161d;
          --card: #18202a; --accent: #4fd1c5; --good: #4ade80; --bad: #f97066; --mark: #16302f; } }
        * { box-sizing: border-box; }
        body { margin: 0; font: 15px/1.5 system-ui, -apple-system, "Segoe UI", "DejaVu Sans", sans-serif;
          color: var(--ink); background: var(--page); }
        a { color: var(--accent); text-decoration: none; }
        a:hover, a:focus-visible { text-decoration: underline; }
        header { display: flex; flex-wrap: wrap; gap: .5rem 1rem; align-items: center; padding: .75rem 1.25rem;
          background: var(--card); border-bottom: 1px solid var(--line); position: sticky; top: 0; z-index: 1; }
        .brand { font-weight: 650; font-size: 1.1rem; color: var(--ink); }
        .chain { color: var(--soft); }
        form { flex: 1 1 20rem; display: flex; gap: .5rem; max-width: 44rem; margin-left: auto; }
        input { flex: 1; min-width: 0; padding: .4rem .7rem; font: inherit; color: inherit; background: var(--page);
          border: 1px solid var(--line); border-radius: 6px; }
        input:focus { outline: 2px solid var(--accent); outline-offset: -1px; }
        button { padding: .4rem .9rem; font: inherit; color: var(--card); background: var(--accent); border: 0;
          border-radius: 6px; cursor: pointer; }
        .live { font-size: .85rem; color: var(--soft); white-space: nowrap; }
        .live::before { content: ""; display: inline-block; width: .55rem; height: .55rem; margin-right: .4rem;
          border-radius: 50%; background: var(--soft); }
        .live.on::before { background: var(--good); }
        .live.off::before { background: var(--bad); }
        main { max-width: 75rem; margin: 0 auto; padding: 1.25rem; }
        footer { max-width: 75rem; margin: 0 auto; padding: .5rem 1.25rem 2rem; display: flex; gap: 1.25rem;
          color: var(--soft); font-size: .85rem; }
        #node { flex: 1; }
        h1 { font-size: 1.3rem; margin: .25rem 0 1rem; overflow-wrap: anywhere; }
        h2 { font-size: 1rem; margin: 0; padding: .8rem 1rem .5rem; }
        .tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(10.5rem, 1fr)); gap: .75rem;
          margin-bottom: 1rem; }
        .tile, .card { background: var(--card); border: 1px solid var(--line); border-radius: 8px; }
        .tile { padding: .7rem 1rem; }
        .tile b { display: block; font-size: 1.35rem; font-weight: 600; font-variant-numeric: tabular-nums; }
        .tile span, .tile small { color: var(--soft); font-size: .85rem; display: block; }
        .card { margin-bottom: 1rem; overflow-x: auto; }
        .columns { display: grid; grid-template-columns: minmax(0, 3fr) minmax(0, 2fr); gap: 1rem; align-items: start; }
        @media (max-width: 60rem) { .columns { grid-template-columns: minmax(0, 1fr); } }
        table { width: 100%; border-collapse: collapse; font-variant-numeric: tabular-nums; }
        th { text-align: left; font-weight: 500; color: var(--soft); font-size: .85rem; white-space: nowrap; }
        th, td { padding: .4rem .8rem; border-top: 1px solid var(--line); vertical-align: top; }
        .number { text-align: right; white-space: nowrap; }
        th:first-child, td:first-child { padding-left: 1rem; }
        th:last-child, td:last-child { padding-right: 1rem; }
        .number:first-child { text-align: left; }
        tr.new td { animation: arrive 2s ease-out; }
        @keyframes arrive { from { background: var(--mark); } }
        @media (prefers-reduced-motion: reduce) { tr.new td { animation: none; } }
        dl { margin: 0; display: grid; grid-template-columns: minmax(8rem, 12rem) minmax(0, 1fr); }
        dt, dd { margin: 0; padding: .35rem 1rem; border-top: 1px solid var(--line); }
        .card > dl:first-child > :nth-child(-n+2) { border-top: 0; }
        dt { color: var(--soft); font-size: .9rem; }
        dd { overflow-wrap: anywhere; }
        td .mono, td code { white-space: nowrap; }
        td pre.mono { white-space: pre-wrap; }
        code, .mono { font: .9em/1.5 ui-monospace, "DejaVu Sans Mono", Menlo, monospace; }
        pre { margin: 0; white-space: pre-wrap; overflow-wrap: anywhere; max-height: 20rem; overflow-y: auto; }
        .good { color: var(--good); } .bad { color: var(--bad); } .soft { color: var(--soft); }
        .empty { padding: .6rem 1rem 1rem; color: var(--soft); border-top: 1px solid var(--line); }
        progress { width: calc(100% - 2rem); margin: .8rem 1rem .9rem; height: .5rem; accent-color: var(--accent); }
        """#
}
