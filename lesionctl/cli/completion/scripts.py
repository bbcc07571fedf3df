"""The shells' scripts: they ask the program, and complete files themselves, each with its own quoting."""

from __future__ import annotations

from enum import StrEnum


class Shell(StrEnum):
    """A shell that can complete the program's words."""

    BASH = "bash"
    ZSH = "zsh"
    FISH = "fish"

    @property
    def file_name(self) -> str:
        """What its script is called in `completions/`."""
        return {Shell.BASH: "lesionctl.bash", Shell.ZSH: "_lesionctl", Shell.FISH: "lesionctl.fish"}[self]

    @property
    def script(self) -> str:
        """What it reads to complete the program's words."""
        return {Shell.BASH: _BASH, Shell.ZSH: _ZSH, Shell.FISH: _FISH}[self]


# Readline cuts words at = and :, which are put together again for the program, and off again from what it answers.
# Bash 3.2, macOS's own, has no compopt: there, files come without its quoting.
_BASH = r"""# Completion of lesionctl for bash.

_lesionctl() {
    local IFS=$' \t\n' words=() glued='' caseless='' raw kind text name found
    local -i place
    shopt -q nocasematch && caseless=yes
    for ((place = 1; place <= COMP_CWORD; place++)); do
        raw=${COMP_WORDS[place]}
        if ((${#words[@]})) && [[ $raw == [:=]* || ( $raw && $glued ) ]]; then
            words[${#words[@]}-1]+=$raw
        else
            words+=("$raw")
        fi
        if [[ $raw == *[:=] ]]; then glued=yes; else glued=''; fi
    done
    [[ $raw == [:=] ]] && raw=''
    local word=${words[${#words[@]}-1]} option='' path
    local before=${word%"$raw"}
    [[ $word == --*=* ]] && option=${word%%=*}=
    path=${word#"$option"}
    path=${path#[\"\']}
    path=${path//\\/}

    COMPREPLY=()
    shopt -s nocasematch
    while IFS=$'\t' read -r kind text _; do
        if [[ $kind == word ]]; then
            text=$option$text
            COMPREPLY+=("${text#"$before"}")
            continue
        fi
        compopt -o filenames 2>/dev/null
        if [[ $kind == directories ]]; then
            while IFS= read -r name; do COMPREPLY+=("$name"); done < <(compgen -d -- "$path")
            continue
        fi
        found=''
        while IFS= read -r name; do
            if [[ -z $text || ,$text, == *",${name##*.},"* || -d ${name/#\~/$HOME} ]]; then
                COMPREPLY+=("$name")
                found=yes
            fi
        done < <(compgen -f -- "$path")
        [[ $found || ${#COMPREPLY[@]} -gt 0 ]] || compopt -o default 2>/dev/null
    done < <(_LESIONCTL_COMPLETE=bash "${1/#\~/$HOME}" "${words[@]}" 2>/dev/null)
    [[ $caseless ]] || shopt -u nocasematch
}

complete -F _lesionctl lesionctl
"""

_ZSH = r"""#compdef lesionctl
# Completion of lesionctl for zsh.

_lesionctl() {
    local line kind text meaning
    local -a fields described plain paths
    local word=${(Q)PREFIX}
    for line in ${(f)"$(_LESIONCTL_COMPLETE=zsh ${~words[1]} "${(@Q)words[2,CURRENT-1]}" "$word" 2>/dev/null)"}; do
        fields=("${(@ps:\t:)line}")
        kind=$fields[1] text=$fields[2] meaning=${fields[3]:-}
        if [[ $kind != word ]]; then
            paths+=("$kind:$text")
        elif [[ -n $meaning ]]; then
            described+=("${text//:/\\:}:$meaning")
        else
            plain+=("${text//:/\\:}")
        fi
    done
    [[ $word == --*=* ]] && compset -P '*='
    local result=1
    (( $#described )) && _describe -t words word described && result=0
    (( $#plain )) && _describe -t words word plain && result=0
    for line in $paths; do
        text=${line#*:}
        if [[ $line == directories:* ]]; then
            _files -/ && result=0
        elif [[ -n $text ]]; then
            _files -g "(#i)*.(|${text//,/|})" && result=0
        else
            _files && result=0
        fi
    done
    return result
}

if [[ $funcstack[1] == _lesionctl ]]; then
    _lesionctl "$@"
else
    compdef _lesionctl lesionctl
fi
"""

_FISH = r"""# Completion of lesionctl for fish.

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
"""
