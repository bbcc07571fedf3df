# Completion of lesionctl for fish.

function __lesionctl_complete
    set -l typed (commandline --tokenize --cut-at-cursor --current-process)
    set -l program (string replace --regex '^~/' "$HOME/" -- $typed[1])
    set -l token (commandline --current-token --cut-at-cursor | string collect)
    set -l option ''
    set -l path "$token"
    if string match --quiet -- '--*=*' $token
        set option (string split --max 1 = -- $token)[1]=
        set path (string split --max 1 = -- $token)[2]
    end
    for line in (_LESIONCTL_COMPLETE=fish command $program $typed[2..-1] "$token" 2>/dev/null)
        set -l fields (string split \t -- $line)
        if test $fields[1] = word
            printf '%s\t%s\n' "$option$fields[2]" "$fields[3]"
            continue
        end
        set -l found (complete --do-complete "'' $path" | string replace --regex '\t.*' '')
        set -l ends '/$'
        if test $fields[1] = files
            set -l endings (string replace --all , '|' -- "$fields[2]")
            set ends "(?:/|\\.(?:$endings))\$"
            test -n "$endings"; or set ends '.'
        end
        set -l wanted (string match --regex --ignore-case -- ".*$ends" $found)
        test -n "$wanted"; or test $fields[1] = directories; or set wanted $found
        printf '%s\n' $option$wanted
    end
end

complete --command lesionctl --no-files --arguments '(__lesionctl_complete)'
