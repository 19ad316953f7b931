# SPDX-License-Identifier: MIT
# Completes command lines in a zsh on a terminal of its own, and prints the offers of each, with
# END OF LINE behind.
#
#   zsh -f capture.zsh FOLDER_OF_SCRIPTS LINE...

zmodload zsh/zpty || exit 77

zpty shell zsh -f -i

# The shell's own compadd keeps what matches in an array, which is printed between two marks.
setup() {
    print -r -- "fpath=(${(q)1} \$fpath)"
    cat <<'TEXT'
PROMPT= RPROMPT=
autoload -Uz compinit && compinit -D -u
unsetopt zle_bracketed_paste 2>/dev/null; unset zle_bracketed_paste
compadd() {
    local -a found
    if [[ ${@[1,(i)(-|--)]} == *-(O|A|D)\ * ]]; then
        builtin compadd "$@"
        return
    fi
    builtin compadd -A found "$@"
    (( $#found )) && print -lr -- $found
    builtin compadd "$@"
}
capture() {
    print -r -- BEGIN-OF-OFFERS
    main-complete-word
    print -r -- END-OF-OFFERS
}
main-complete-word() { _main_complete; compstate[insert]= compstate[list]= }
zle -C capture complete-word capture
bindkey '^I' capture
print READY
TEXT
}

file=$(mktemp)
setup "$1" > $file
zpty -w shell "source $file"
zpty -r -m shell line '*READY*'
rm -f $file
for word in "${@:2}"; do
    zpty -w -n shell $'\C-u'"$word"$'\t'
    text=
    while zpty -r shell line; do
        text+=$line
        [[ $text == *END-OF-OFFERS* ]] && break
    done
    text=${text##*BEGIN-OF-OFFERS}
    print -r -- "${${text%%END-OF-OFFERS*}//$'\r'/}"
    print END OF LINE
done
zpty -d shell
