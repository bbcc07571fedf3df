# Completion of lesionctl for bash.

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
