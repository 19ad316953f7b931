# How keys and values go on: for bash and zsh alike.

# The place in an image's options that TEXT is about: "file.backing." of "file.backing.dri".
@F@_path() {
    local path=''

    while :; do
        case ${1#"$path"} in
            file.*) path=${path}file. ;;
            backing.*) path=${path}backing. ;;
            *) break ;;
        esac
    done
    echo "$path"
}

# The driver that the options BEFORE choose for the node at PATH.
@F@_driver() {
    local rest

    case ,$1 in
        *",$2driver="*)
            rest=,$1
            rest=${rest##*",$2driver="}
            echo "${rest%%,*}"
            ;;
        *)
            case $2 in *file.) echo file ;; esac
            ;;
    esac
}

# KIND TEXT FORMAT: what may stand at the end of TEXT, a comma-separated list of keys and values.
# Prints whole words, one a line, which may not go on as TEXT does; or "@file PREFIX": a file's name
# behind the prefix. FORMAT is that of the image which options of creation are for.
@F@_list() {
    local table=$1/ text=$2 format=$3 path='' last before key word

    last=${text##*,}
    before=${text%"$last"}
    case $1 in
        create) table=create/$format ;;
        operands/*) table=$1 ;;
        object) [ -z "$before" ] || table=object/${text%%,*} ;;
        open)
            path=$(@F@_path "$last")
            table=open/$(@F@_driver "$before" "$path")
            ;;
    esac
    case $last in
        *=*)
            key=${last%%=*}
            # shellcheck disable=SC2046  # a kind and words
            set -- $(@F@_value "$table ${key#"$path"}")
            for word in "$@"; do
                case $1:$word in
                    file:*) printf '%s\n' "@file $before$key=" ;;
                    words:words) ;;
                    words:*) printf '%s\n' "$before$key=$word" ;;
                esac
            done
            ;;
        *)
            for key in $(@F@_keys "$table"); do
                case ,$before in
                    *",$path$key"*) ;;
                    *) printf '%s\n' "$before$path$key" ;;
                esac
            done
            ;;
    esac
}
